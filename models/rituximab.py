"""Rituximab: central and peripheral compartment.

    R1' = -(CL/V1 + Q/V1) R1 + (Q/V2) R2
    R2' = (Q/V1) R1 - (Q/V2) R2
    rituximab = R1/V1

Amounts in mg, days. Solved exactly.
Reference: Candelaria et al. 2018, 10.1007/s00280-018-3524-9.
"""

from collections.abc import Mapping
from typing import NamedTuple

from imak_pkpd.model import (
    AbstractLinear,
    Inputs,
    Scalar,
    mechanisms as m,
    parameter,
)

CANDELARIA = "Candelaria et al. 2018, 10.1007/s00280-018-3524-9"


class Amounts(NamedTuple):
    """mg."""

    R1: Scalar
    R2: Scalar


class Rituximab(AbstractLinear):
    time = "day"
    doses = {"rituximab": "mg"}
    outputs = {"rituximab": "mg/L"}

    rtx_CL: Scalar = parameter("L/day", "clearance of rituximab", CANDELARIA)
    rtx_V1: Scalar = parameter("L", "central volume", CANDELARIA)
    rtx_Q: Scalar = parameter("L/day", "inter-compartmental clearance", CANDELARIA)
    rtx_V2: Scalar = parameter("L", "peripheral volume", CANDELARIA)

    def initial(self, inputs: Inputs) -> Amounts:
        return Amounts(0.0, 0.0)

    def dose(self, state: Amounts, name: str, amount: Scalar) -> Amounts:
        return state._replace(R1=state.R1 + amount)

    def rates(self, t: Scalar, state: Amounts, inputs: Inputs) -> Amounts:
        moved = m.rituximab_disposition(
            state.R1, state.R2, CL=self.rtx_CL, V1=self.rtx_V1, Q=self.rtx_Q,
            V2=self.rtx_V2,
        )  # fmt: skip
        return Amounts(inputs.infusion["rituximab"] + moved.central, moved.peripheral)

    def observe(
        self, t: Scalar, state: Amounts, inputs: Inputs
    ) -> Mapping[str, Scalar]:
        return {"rituximab": state.R1 / self.rtx_V1}
