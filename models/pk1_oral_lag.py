"""One compartment, first-order absorption with bioavailability and lag time.

    depot'   = -KA depot
    central' = KA depot - CL/V1 central
    concentration = central / V1

A share F of a dose to the depot arrives, ALAG after its record; doses to the central
compartment are complete and not delayed.
Solved exactly, also where KA equals a rate of elimination.
Reference: Gibaldi & Perrier 1982, Pharmacokinetics, 2nd ed.
"""

from collections.abc import Mapping
from typing import NamedTuple

from imak_pkpd.model import AbstractLinear, Dosing, Inputs, Scalar, parameter


class Amounts(NamedTuple):
    depot: Scalar
    central: Scalar


class OneCompartmentOralLag(AbstractLinear):
    time = "h"
    doses = {"depot": "mg", "central": "mg"}
    outputs = {"concentration": "mg/L"}

    KA: Scalar = parameter("1/h", "first-order absorption rate")
    CL: Scalar = parameter("L/h", "clearance from the central compartment")
    V1: Scalar = parameter("L", "volume of the central compartment")
    F: Scalar = parameter(
        "", "share of a dose to the depot that arrives", scale="logit"
    )
    ALAG: Scalar = parameter("h", "delay of a dose to the depot")

    def initial(self, inputs: Inputs) -> Amounts:
        return Amounts(0.0, 0.0)

    def dose(self, state: Amounts, name: str, amount: Scalar) -> Amounts:
        if name == "depot":
            return state._replace(depot=state.depot + amount)
        return state._replace(central=state.central + amount)

    def dosing(self, name: str) -> Dosing:
        return Dosing(lag=self.ALAG, F=self.F) if name == "depot" else Dosing()

    def rates(self, t: Scalar, state: Amounts, inputs: Inputs) -> Amounts:
        absorbed = self.KA * state.depot
        eliminated = self.CL / self.V1 * state.central
        return Amounts(
            depot=inputs.infusion["depot"] - absorbed,
            central=inputs.infusion["central"] + absorbed - eliminated,
        )

    def observe(
        self, t: Scalar, state: Amounts, inputs: Inputs
    ) -> Mapping[str, Scalar]:
        return {"concentration": state.central / self.V1}
