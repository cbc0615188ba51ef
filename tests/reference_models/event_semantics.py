"""One compartment with depot, every dosing parameter on the central compartment.

    depot'   = -KA depot
    central' = KA depot - CL/V central
    concentration = 1000 central / V

F2, ALAG2, R2 and D2 apply to doses to the central compartment.
Reference: the NM-TRAN data items AMT, RATE, ADDL, II, SS and EVID (NONMEM guides).
"""

from collections.abc import Mapping
from typing import NamedTuple

from imak_pkpd.model import AbstractLinear, Dosing, Inputs, Scalar, parameter


class Amounts(NamedTuple):
    depot: Scalar
    central: Scalar


class EventSemantics(AbstractLinear):
    time = "h"
    doses = {"depot": "mg", "central": "mg"}
    outputs = {"concentration": "ug/L"}

    KA: Scalar = parameter("1/h", "first-order absorption rate")
    CL: Scalar = parameter("L/h", "clearance")
    V: Scalar = parameter("L", "volume of the central compartment")
    F2: Scalar = parameter("", "share of a central dose that arrives")
    ALAG2: Scalar = parameter("h", "delay of a central dose", scale="identity")
    R2: Scalar = parameter("mg/h", "rate of a modelled infusion", scale="identity")
    D2: Scalar = parameter("h", "duration of a modelled infusion", scale="identity")

    def initial(self, inputs: Inputs) -> Amounts:
        return Amounts(0.0, 0.0)

    def dose(self, state: Amounts, name: str, amount: Scalar) -> Amounts:
        if name == "depot":
            return state._replace(depot=state.depot + amount)
        return state._replace(central=state.central + amount)

    def dosing(self, name: str) -> Dosing:
        if name == "depot":
            return Dosing()
        return Dosing(lag=self.ALAG2, F=self.F2, rate=self.R2, duration=self.D2)

    def rates(self, t: Scalar, state: Amounts, inputs: Inputs) -> Amounts:
        absorbed = self.KA * state.depot
        eliminated = self.CL / self.V * state.central
        return Amounts(
            depot=inputs.infusion["depot"] - absorbed,
            central=inputs.infusion["central"] + absorbed - eliminated,
        )

    def observe(
        self, t: Scalar, state: Amounts, inputs: Inputs
    ) -> Mapping[str, Scalar]:
        return {"concentration": 1000.0 * state.central / self.V}  # mg/L to ug/L
