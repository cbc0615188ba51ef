"""Theophylline after one oral dose: one compartment, doses per kg of body weight.

    depot'   = -ka depot
    central' = ka depot - CL/V central
    concentration = central / V

Doses and amounts are mg per kg, so V is L/kg and CL is L/h/kg.
Reference: Boeckmann, Sheiner & Beal 1994, NONMEM Users Guide part V (the data set).
"""

from collections.abc import Mapping
from typing import NamedTuple

from imak_pkpd.model import AbstractLinear, Inputs, Scalar, parameter


class Amounts(NamedTuple):
    depot: Scalar
    central: Scalar


class Theophylline(AbstractLinear):
    time = "h"
    doses = {"depot": "mg/kg"}
    outputs = {"concentration": "mg/L"}

    ka: Scalar = parameter("1/h", "first-order absorption rate")
    V: Scalar = parameter("L/kg", "volume of distribution per kg of body weight")
    CL: Scalar = parameter("L/h/kg", "clearance per kg of body weight")

    def initial(self, inputs: Inputs) -> Amounts:
        return Amounts(0.0, 0.0)

    def dose(self, state: Amounts, name: str, amount: Scalar) -> Amounts:
        return state._replace(depot=state.depot + amount)

    def rates(self, t: Scalar, state: Amounts, inputs: Inputs) -> Amounts:
        absorbed = self.ka * state.depot
        eliminated = self.CL / self.V * state.central
        return Amounts(inputs.infusion["depot"] - absorbed, absorbed - eliminated)

    def observe(
        self, t: Scalar, state: Amounts, inputs: Inputs
    ) -> Mapping[str, Scalar]:
        return {"concentration": state.central / self.V}
