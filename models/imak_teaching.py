"""Four states for teaching: donor cells, the host's answer to them, and the tumour.

    D' = D (D/(D + 10) rho il2(t) - dD - rej)                  donor effector cells
    P' = kp s a/2 exp(-kp max(t, 0)) + (rhoR s - kd) P         primed host cells
    R' = kd P - dR R                                           host killers
    l' = g (1 - L/K) - kap E/(h + E + L)                       ln tumour cells, L = e^l

with s = D/(D50 + D), rej = kR R/(hR + R + D), E = fs D and
il2(t) = sigmoid(8 t) sigmoid(8 (5.2 - t)). Days; the donor infusion is at t = 0.
It is the core model with half of the host's lymphocytes left by cyclophosphamide, for
good, and without the host's own immunity: imak_core.py has what is left out.

An infusion of `cells` adds D0/7e9 of its amount to D.
Reference: this project's core model.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
from jax.nn import sigmoid

from imak_pkpd.model import (
    AbstractModel,
    Inputs,
    Scalar,
    mechanisms as m,
    parameter,
)

KIMMEL = "Kimmel et al. 2021, 10.1098/rspb.2021.0229"
HALLE = "2-16 kills per killer and day in vivo: Halle et al. 2016, Immunity 44:233"
OMMEN = "molecular relapse doubles in 11-36 d: Ommen et al. 2010, Blood 115:198"
LEE = "most infused white cells are cleared in 2 d: Lee et al. 1995, Blood 85:1207"
ASSUMED = "assumption of this model"

REFERENCE_DOSE = 7e9  # cells: 1e8 per kg at 70 kg
HOST_LEFT = 0.5  # of the host's lymphocytes: nadir after 1000 mg/m2 cyclophosphamide
IL2_END = 5.2  # d: five daily s.c. doses from day 0 and the last one's absorption
IL2_EDGE = 8.0  # 1/d: steepness of rise and fall, about half a day
BLOOD_SHARE = 0.02  # of the body's lymphocytes are in blood (textbook)


class Cells(NamedTuple):
    """Cells of the whole body; l is the natural logarithm of tumour cells."""

    D: Scalar
    P: Scalar
    R: Scalar
    l: Scalar  # noqa: E741


class ImakTeaching(AbstractModel):
    time = "day"
    doses = {"cells": "cells"}
    outputs = {"donor": "cells/uL", "tumour": "cells"}

    D0: Scalar = parameter("cells", "donor cells that survive the reference dose", LEE)
    rho: Scalar = parameter("1/day", "expansion of donor cells under IL-2", KIMMEL)
    dD: Scalar = parameter("1/day", "death of donor cells", ASSUMED)
    kR: Scalar = parameter("1/day", "maximal killing of donor cells", HALLE)
    a: Scalar = parameter("cells", "host cells that can recognise the donor", ASSUMED)
    kd: Scalar = parameter("1/day", "primed host cells becoming killers", ASSUMED)
    g: Scalar = parameter("1/day", "growth of tumour", OMMEN)
    B0: Scalar = parameter("cells", "tumour cells at t = 0", ASSUMED)
    kap: Scalar = parameter("1/day", "maximal tumour kills per donor effector", HALLE)
    hR: Scalar = parameter("cells", "half-saturation of rejection", ASSUMED)
    rhoR: Scalar = parameter("1/day", "division of primed host cells", ASSUMED)
    dR: Scalar = parameter("1/day", "loss of host killers", ASSUMED)
    D50: Scalar = parameter("cells", "donor cells for half-maximal priming", ASSUMED)
    K: Scalar = parameter("cells", "capacity of tumour", ASSUMED)
    h: Scalar = parameter("cells", "half-saturation of tumour killing", ASSUMED)
    fs: Scalar = parameter("", "share of donor cells at tumour sites", ASSUMED)
    kp: Scalar = parameter("1/day", "priming of host cells", ASSUMED)

    def initial(self, inputs: Inputs) -> Cells:
        zero = jnp.zeros_like(self.D0)
        return Cells(zero, zero, zero, jnp.log(self.B0))

    def dose(self, state: Cells, name: str, amount: Scalar) -> Cells:
        return state._replace(D=state.D + amount * self.D0 / REFERENCE_DOSE)

    def rates(self, t: Scalar, state: Cells, inputs: Inputs) -> Cells:
        D, P, R, l = state  # noqa: E741
        L = m.cells_of_log(l)
        il2 = sigmoid(IL2_EDGE * t) * sigmoid(IL2_EDGE * (IL2_END - t))
        s = m.saturation(D, self.D50)
        rejected = m.rejection(R, D, greatest=self.kR, half=self.hR)
        divided = m.extinction_gate(D) * self.rho * il2
        unprimed = HOST_LEFT * self.a * jnp.exp(-self.kp * jnp.maximum(t, 0.0))
        killed = m.doubly_saturated(self.fs * D, L, greatest=self.kap, half=self.h)
        infused = inputs.infusion["cells"] * self.D0 / REFERENCE_DOSE
        return Cells(
            D=infused + D * (divided - self.dD - rejected),
            P=self.kp * s * unprimed + (self.rhoR * s - self.kd) * P,
            R=self.kd * P - self.dR * R,
            l=m.logistic_growth(L, rate=self.g, capacity=self.K) - killed,
        )

    def observe(self, t: Scalar, state: Cells, inputs: Inputs) -> Mapping[str, Scalar]:
        return {
            "donor": m.per_microlitre(state.D, blood_share=BLOOD_SHARE),
            # 1 + L is a soft floor at one cell: far below it the gradient fades out.
            "tumour": 1.0 + m.cells_of_log(state.l),
        }
