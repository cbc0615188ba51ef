"""One compartment, linear, every dosing parameter, on all three scales.

    central' = -CL/V central
    concentration = BASE + central / V

TLAG, BIO, RATE and LAST are lag, F, rate and duration of doses to `central`; doses to
`direct` enter the same compartment as recorded.
Reference: the NM-TRAN data items AMT, RATE, ADDL, II, SS and EVID (NONMEM guides).
"""

from collections.abc import Mapping
from typing import NamedTuple

from imak_pkpd.model import AbstractLinear, Dosing, Inputs, Scalar, parameter


class Amount(NamedTuple):
    central: Scalar


class DosingParameters(AbstractLinear):
    time = "h"
    doses = {"direct": "mg", "central": "mg"}
    outputs = {"concentration": "mg/L"}

    CL: Scalar = parameter("L/h", "clearance")
    V: Scalar = parameter("L", "volume")
    BASE: Scalar = parameter("mg/L", "blank of the assay", scale="identity")
    TLAG: Scalar = parameter("h", "delay of a dose")
    BIO: Scalar = parameter("", "share of a dose that arrives", scale="logit")
    RATE: Scalar = parameter("mg/h", "rate of a modelled infusion")
    LAST: Scalar = parameter("h", "duration of a modelled infusion")

    def initial(self, inputs: Inputs) -> Amount:
        return Amount(0.0)

    def dose(self, state: Amount, name: str, amount: Scalar) -> Amount:
        return Amount(state.central + amount)

    def dosing(self, name: str) -> Dosing:
        if name == "direct":
            return Dosing()
        return Dosing(self.TLAG, self.BIO, self.RATE, self.LAST)

    def rates(self, t: Scalar, state: Amount, inputs: Inputs) -> Amount:
        infused = inputs.infusion["direct"] + inputs.infusion["central"]
        return Amount(infused - self.CL / self.V * state.central)

    def observe(self, t: Scalar, state: Amount, inputs: Inputs) -> Mapping[str, Scalar]:
        return {"concentration": self.BASE + state.central / self.V}
