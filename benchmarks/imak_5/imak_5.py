"""imak-5: infused cells expand on IL-2 until the host's killers reject them.

    A' = -kin A                                           infused, not yet in blood
    D' = kin A + rho I/(EC50 + I) D - dlt D - kap H D      donor cells
    H' = pH s + rH H s - dH H,   s = D/(SD + D)            host killers
    T' = gT T (1 - T/Tmax) - kT T s                        tumour
    I' = -ke I                                             IL-2

A benchmark, made to be quick and hard for a sampler; not the core model.
"""

from typing import NamedTuple

import jax.numpy as jnp

from imak_pkpd.model import AbstractModel, Inputs, Scalar, parameter

# The benchmark's own constants: days, cells per microlitre, IL-2 in MIU.
KIN, KE, EC50, SD, TMAX, DH, H0 = 8.0, 4.0, 1.0, 20.0, 1000.0, 0.1, 0.01
FLOOR = 1e-6  # outputs are floored before the logarithm, as the peers do


class Amounts(NamedTuple):
    infused: Scalar
    donor: Scalar
    host: Scalar
    tumour: Scalar
    il2: Scalar


class Imak5(AbstractModel):
    time = "day"
    doses = {"cells": "cells/uL", "il2": "MIU"}
    outputs = {"donor": "cells/uL", "host": "cells/uL", "tumour": "mm3"}
    forcing = (("infused",), ("il2",))  # the fastest rates: their decay asks for steps

    rho: Scalar = parameter("1/day", "maximal expansion rate")
    dlt: Scalar = parameter("1/day", "death rate of donor cells")
    kap: Scalar = parameter("uL/cells/day", "killing of donor cells by the host")
    pH: Scalar = parameter("cells/uL/day", "priming of host killers")
    rH: Scalar = parameter("1/day", "expansion of host killers")
    kT: Scalar = parameter("1/day", "maximal killing of tumour")
    gT: Scalar = parameter("1/day", "growth of tumour")

    def initial(self, inputs: Inputs) -> Amounts:
        zero = jnp.zeros_like(self.rho)
        return Amounts(zero, zero, zero + H0, zero + inputs.covariate["T0"], zero)

    def dose(self, state: Amounts, name: str, amount: Scalar) -> Amounts:
        if name == "cells":
            return state._replace(infused=state.infused + amount)
        return state._replace(il2=state.il2 + amount)

    def rates(self, t: Scalar, state: Amounts, inputs: Inputs) -> Amounts:
        a, d, h, tumour, il2 = state
        s = d / (SD + d)
        growth = self.rho * il2 / (EC50 + il2) - self.dlt - self.kap * h
        return Amounts(
            infused=-KIN * a,
            donor=KIN * a + growth * d,
            host=self.pH * s + self.rH * h * s - DH * h,
            tumour=self.gT * tumour * (1 - tumour / TMAX) - self.kT * tumour * s,
            il2=-KE * il2,
        )

    def observe(self, t: Scalar, state: Amounts, inputs: Inputs) -> dict[str, Scalar]:
        outputs = {"donor": state.donor, "host": state.host, "tumour": state.tumour}
        return {name: jnp.maximum(value, FLOOR) for name, value in outputs.items()}
