"""One compartment with depot and saturable elimination, every dosing parameter.

    depot'   = -KA depot
    central' = KA depot - VM c / (KM + c), c = max(central, 0) / V
    concentration = BASE + c

TLAG, BIO, RATE and LAST apply to doses to the central compartment. A constant input of
VM or more has no steady state.
Reference: Michaelis & Menten 1913, Biochem Z 49:333 (the rate law).
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp

from imak_pkpd.model import AbstractModel, Dosing, Inputs, Scalar, parameter


class Amounts(NamedTuple):
    depot: Scalar
    central: Scalar


class MichaelisMenten(AbstractModel):
    time = "h"
    doses = {"depot": "mg", "central": "mg"}
    outputs = {"concentration": "mg/L"}

    KA: Scalar = parameter("1/h", "first-order absorption rate")
    VM: Scalar = parameter("mg/h", "capacity of elimination")
    KM: Scalar = parameter("mg/L", "concentration at half the capacity")
    V: Scalar = parameter("L", "volume of the central compartment")
    BASE: Scalar = parameter("mg/L", "blank of the assay", scale="identity")
    TLAG: Scalar = parameter("h", "delay of a central dose")
    BIO: Scalar = parameter("", "share of a central dose that arrives", scale="logit")
    RATE: Scalar = parameter("mg/h", "rate of a modelled infusion")
    LAST: Scalar = parameter("h", "duration of a modelled infusion")

    def initial(self, inputs: Inputs) -> Amounts:
        return Amounts(0.0, 0.0)

    def dose(self, state: Amounts, name: str, amount: Scalar) -> Amounts:
        if name == "depot":
            return state._replace(depot=state.depot + amount)
        return state._replace(central=state.central + amount)

    def dosing(self, name: str) -> Dosing:
        if name == "depot":
            return Dosing()
        return Dosing(self.TLAG, self.BIO, self.RATE, self.LAST)

    def rates(self, t: Scalar, state: Amounts, inputs: Inputs) -> Amounts:
        absorbed = self.KA * state.depot
        concentration = jnp.maximum(state.central, 0.0) / self.V
        eliminated = self.VM * concentration / (self.KM + concentration)
        return Amounts(
            depot=inputs.infusion["depot"] - absorbed,
            central=inputs.infusion["central"] + absorbed - eliminated,
        )

    def observe(
        self, t: Scalar, state: Amounts, inputs: Inputs
    ) -> Mapping[str, Scalar]:
        return {"concentration": self.BASE + state.central / self.V}
