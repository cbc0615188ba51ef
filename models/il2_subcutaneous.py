"""Subcutaneous IL-2: depot and blood.

    Isc' = -ka Isc
    Ic'  = ka Isc - (CL/V) Ic
    il2 = 1e3 Ic/V in IU/mL, amounts in 1e6 IU

The share F of a dose is absorbed. Absorption is slower than elimination (flip-flop).
Solved exactly, also where ka = CL/V.
Reference: Kirchner et al. 1998, 10.1046/j.1365-2125.1998.00036.x; Konrad et al. 1990.
"""

from collections.abc import Mapping
from typing import NamedTuple

from imak_pkpd.model import (
    AbstractLinear,
    Dosing,
    Inputs,
    Scalar,
    mechanisms as m,
    parameter,
)

KONRAD = "Konrad et al. 1990, PMID 2317789"
KIRCHNER = "Kirchner et al. 1998, 10.1046/j.1365-2125.1998.00036.x"


class Amounts(NamedTuple):
    """1e6 IU."""

    Isc: Scalar
    Ic: Scalar


class Il2Subcutaneous(AbstractLinear):
    time = "day"
    doses = {"il2": "1e6 IU"}
    outputs = {"il2": "IU/mL"}

    il2_F: Scalar = parameter("", "share of IL-2 absorbed", KONRAD, scale="logit")
    il2_ka: Scalar = parameter("1/day", "absorption of IL-2", KIRCHNER)
    il2_CL: Scalar = parameter("L/day", "clearance of IL-2", KIRCHNER)
    il2_V: Scalar = parameter("L", "volume of IL-2", KONRAD)

    def initial(self, inputs: Inputs) -> Amounts:
        return Amounts(0.0, 0.0)

    def dosing(self, name: str) -> Dosing:
        return Dosing(F=self.il2_F)

    def dose(self, state: Amounts, name: str, amount: Scalar) -> Amounts:
        return state._replace(Isc=state.Isc + amount)

    def rates(self, t: Scalar, state: Amounts, inputs: Inputs) -> Amounts:
        il2 = m.il2_disposition(
            state.Isc, state.Ic, ka=self.il2_ka, CL=self.il2_CL, V=self.il2_V
        )
        return Amounts(inputs.infusion["il2"] + il2.depot, il2.central)

    def observe(
        self, t: Scalar, state: Amounts, inputs: Inputs
    ) -> Mapping[str, Scalar]:
        return {"il2": m.il2_concentration(state.Ic, V=self.il2_V)}
