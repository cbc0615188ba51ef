"""Two compartments, first-order absorption.

    depot'      = -KA depot
    central'    = KA depot - (CL + Q2)/V1 central + Q2/V2 peripheral
    peripheral' = Q2/V1 central - Q2/V2 peripheral
    concentration = central / V1

A dose may enter the depot or the central compartment.
Solved exactly, also where KA equals a rate of elimination.
Reference: Gibaldi & Perrier 1982, Pharmacokinetics, 2nd ed.
"""

from collections.abc import Mapping
from typing import NamedTuple

from imak_pkpd.model import AbstractLinear, Inputs, Scalar, parameter


class Amounts(NamedTuple):
    depot: Scalar
    central: Scalar
    peripheral: Scalar


class TwoCompartmentsOral(AbstractLinear):
    time = "h"
    doses = {"depot": "mg", "central": "mg"}
    outputs = {"concentration": "mg/L"}

    KA: Scalar = parameter("1/h", "first-order absorption rate")
    CL: Scalar = parameter("L/h", "clearance from the central compartment")
    V1: Scalar = parameter("L", "volume of the central compartment")
    Q2: Scalar = parameter("L/h", "flow to and from the peripheral compartment")
    V2: Scalar = parameter("L", "volume of the peripheral compartment")

    def initial(self, inputs: Inputs) -> Amounts:
        return Amounts(0.0, 0.0, 0.0)

    def dose(self, state: Amounts, name: str, amount: Scalar) -> Amounts:
        if name == "depot":
            return state._replace(depot=state.depot + amount)
        return state._replace(central=state.central + amount)

    def rates(self, t: Scalar, state: Amounts, inputs: Inputs) -> Amounts:
        absorbed = self.KA * state.depot
        eliminated = self.CL / self.V1 * state.central
        to_peripheral = self.Q2 * (state.central / self.V1 - state.peripheral / self.V2)
        return Amounts(
            depot=inputs.infusion["depot"] - absorbed,
            central=inputs.infusion["central"] + absorbed - eliminated - to_peripheral,
            peripheral=to_peripheral,
        )

    def observe(
        self, t: Scalar, state: Amounts, inputs: Inputs
    ) -> Mapping[str, Scalar]:
        return {"concentration": state.central / self.V1}
