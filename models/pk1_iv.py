"""One compartment, bolus or infusion into a vein.

    central' = -CL/V1 central
    concentration = central / V1

A dose enters the central compartment.
Solved exactly.
Reference: Gibaldi & Perrier 1982, Pharmacokinetics, 2nd ed.
"""

from collections.abc import Mapping
from typing import NamedTuple

from imak_pkpd.model import AbstractLinear, Inputs, Scalar, parameter


class Amounts(NamedTuple):
    central: Scalar


class OneCompartment(AbstractLinear):
    time = "h"
    doses = {"central": "mg"}
    outputs = {"concentration": "mg/L"}

    CL: Scalar = parameter("L/h", "clearance from the central compartment")
    V1: Scalar = parameter("L", "volume of the central compartment")

    def initial(self, inputs: Inputs) -> Amounts:
        return Amounts(0.0)

    def dose(self, state: Amounts, name: str, amount: Scalar) -> Amounts:
        return state._replace(central=state.central + amount)

    def rates(self, t: Scalar, state: Amounts, inputs: Inputs) -> Amounts:
        eliminated = self.CL / self.V1 * state.central
        return Amounts(
            central=inputs.infusion["central"] - eliminated,
        )

    def observe(
        self, t: Scalar, state: Amounts, inputs: Inputs
    ) -> Mapping[str, Scalar]:
        return {"concentration": state.central / self.V1}
