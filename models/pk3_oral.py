"""Three compartments, first-order absorption.

    depot'   = -KA depot
    central' = KA depot - (CL + Q2 + Q3)/V1 central + Q2/V2 shallow + Q3/V3 deep
    shallow' = Q2/V1 central - Q2/V2 shallow
    deep'    = Q3/V1 central - Q3/V3 deep
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
    shallow: Scalar
    deep: Scalar


class ThreeCompartmentsOral(AbstractLinear):
    time = "h"
    doses = {"depot": "mg", "central": "mg"}
    outputs = {"concentration": "mg/L"}

    KA: Scalar = parameter("1/h", "first-order absorption rate")
    CL: Scalar = parameter("L/h", "clearance from the central compartment")
    V1: Scalar = parameter("L", "volume of the central compartment")
    Q2: Scalar = parameter("L/h", "flow to and from the shallow peripheral compartment")
    V2: Scalar = parameter("L", "volume of the shallow peripheral compartment")
    Q3: Scalar = parameter("L/h", "flow to and from the deep peripheral compartment")
    V3: Scalar = parameter("L", "volume of the deep peripheral compartment")

    def initial(self, inputs: Inputs) -> Amounts:
        return Amounts(0.0, 0.0, 0.0, 0.0)

    def dose(self, state: Amounts, name: str, amount: Scalar) -> Amounts:
        if name == "depot":
            return state._replace(depot=state.depot + amount)
        return state._replace(central=state.central + amount)

    def rates(self, t: Scalar, state: Amounts, inputs: Inputs) -> Amounts:
        absorbed = self.KA * state.depot
        eliminated = self.CL / self.V1 * state.central
        to_shallow = self.Q2 * (state.central / self.V1 - state.shallow / self.V2)
        to_deep = self.Q3 * (state.central / self.V1 - state.deep / self.V3)
        lost = eliminated + to_shallow + to_deep
        return Amounts(
            depot=inputs.infusion["depot"] - absorbed,
            central=inputs.infusion["central"] + absorbed - lost,
            shallow=to_shallow,
            deep=to_deep,
        )

    def observe(
        self, t: Scalar, state: Amounts, inputs: Inputs
    ) -> Mapping[str, Scalar]:
        return {"concentration": state.central / self.V1}
