"""Cyclophosphamide and fludarabine, and the host lymphocytes that they deplete.

    Acy' = -(CL/V)(1 + Enz) Acy                    C = Acy/V
    Enz' = kenz (Emax C/(EC50 + C) - Enz)          induction of clearance
    F'   = -flu_k F                                fludarabine, in doses of 25 mg/m2
    H'   = rH H ln(H0/H) - EH C H - flu_E F H

cy_Emax_ind = { fixed = 0 } switches the induction off. 1000 mg/m2 alone halves the
lymphocytes of the host, which stays able to reject.
Reference: Ahmed et al. 2020, 10.3389/fphar.2020.00406; Kimmel et al. 2021,
10.1098/rspb.2021.0229.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp

from imak_pkpd.model import (
    AbstractModel,
    Inputs,
    Scalar,
    mechanisms as m,
    parameter,
)

AHMED = "Ahmed et al. 2020, 10.3389/fphar.2020.00406"
KIMMEL = "Kimmel et al. 2021, 10.1098/rspb.2021.0229"
BOOK = "textbook"
ASSUMED = "hypothesis"

USUAL_DOSE = 25.0  # mg/m2 of fludarabine: the unit of its amount


class Body(NamedTuple):
    """Acy in mg, F in doses of 25 mg/m2, H in cells of the body."""

    Acy: Scalar
    Enz: Scalar
    F: Scalar
    H: Scalar


class CyclophosphamideLymphocytes(AbstractModel):
    time = "day"
    doses = {"cyclophosphamide": "mg", "fludarabine": "mg/m2"}
    outputs = {"cyclophosphamide": "mg/L", "lymphocytes": "cells/uL"}

    cy_CL: Scalar = parameter("L/day", "clearance of cyclophosphamide", AHMED)
    cy_V: Scalar = parameter("L", "volume of cyclophosphamide", AHMED)
    cy_Emax_ind: Scalar = parameter(
        "", "largest rise of clearance by induction", "PMID 1937169"
    )
    cy_EC50_ind: Scalar = parameter(
        "mg/L", "cyclophosphamide for half the induction", ASSUMED
    )
    cy_kenz: Scalar = parameter("1/day", "turnover of the enzyme", BOOK)
    cy_EH: Scalar = parameter(
        "L/mg/day", "lymphocytes killed per concentration", "PMID 6409485"
    )
    flu_E: Scalar = parameter(
        "1/day", "lymphocytes killed per 25 mg/m2 of fludarabine", ASSUMED
    )
    flu_k: Scalar = parameter(
        "1/day", "loss of fludarabine", "half-life of F-ara-A about 20 h (textbook)"
    )
    host_rH: Scalar = parameter("1/day", "recovery of host lymphocytes", KIMMEL)
    host_H0: Scalar = parameter("cells", "host lymphocytes at rest", KIMMEL)
    don_fb: Scalar = parameter("", "share of lymphocytes in blood", BOOK)

    def initial(self, inputs: Inputs) -> Body:
        zero = jnp.zeros_like(self.host_H0)
        return Body(zero, zero, zero, self.host_H0)

    def dose(self, state: Body, name: str, amount: Scalar) -> Body:
        if name == "fludarabine":
            return state._replace(F=state.F + amount / USUAL_DOSE)
        return state._replace(Acy=state.Acy + amount)

    def rates(self, t: Scalar, state: Body, inputs: Inputs) -> Body:
        concentration = state.Acy / self.cy_V
        recovery = m.gompertz_recovery(state.H, rate=self.host_rH, rest=self.host_H0)
        toxic = self.cy_EH * concentration + self.flu_E * state.F
        eliminated = m.cyclophosphamide_elimination(
            state.Acy, state.Enz, CL=self.cy_CL, V=self.cy_V
        )
        return Body(
            Acy=inputs.infusion["cyclophosphamide"] + eliminated,
            Enz=m.autoinduction(
                state.Enz, concentration, greatest=self.cy_Emax_ind,
                half=self.cy_EC50_ind, rate=self.cy_kenz,
            ),
            F=inputs.infusion["fludarabine"] / USUAL_DOSE - self.flu_k * state.F,
            H=state.H * (recovery - toxic),
        )  # fmt: skip

    def observe(self, t: Scalar, state: Body, inputs: Inputs) -> Mapping[str, Scalar]:
        return {
            "cyclophosphamide": state.Acy / self.cy_V,
            "lymphocytes": m.per_microlitre(state.H, blood_share=self.don_fb),
        }
