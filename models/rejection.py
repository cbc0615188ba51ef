"""Host against graft: naive, primed and killing host cells against given donor cells.

    A0' = -kp s A0 - (EH C + veto) A0              s = D/(D50 + D)
    A1' = kp s A0 + (rho s - kd) A1 - (EH C + veto) A1
    A2' = kd A1 - dE A2 - (EH C + veto) A2         veto = kapG DA/(rej_h + DA + A1 + A2)

Days, cells of the whole body. Columns of the data say what comes from outside: `donor`
D (donor cells), `alloreactive` DA (those that attack the host), `cyclophosphamide` C
(mg/L). There are no doses. Killers outlive the donor cells: the same host rejects a
second infusion faster.

Reference: this project's full model (imak_full.py has the sources of its numbers).
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

KIMMEL = "Kimmel et al. 2021, 10.1098/rspb.2021.0229"
HALLE = "2-16 kills per killer and day in vivo: Halle et al. 2016, Immunity 44:233"
MLR = "1-10 % of T cells respond in a mixed culture; 1:241-1:486 in limiting dilution"
BOOK = "textbook"
ASSUMED = "hypothesis"

T_SHARE = 0.7  # of host lymphocytes are T cells (textbook)


class Host(NamedTuple):
    """Cells of the whole body."""

    A0: Scalar
    A1: Scalar
    A2: Scalar


class Rejection(AbstractModel):
    time = "day"
    doses = {}
    outputs = {"killers": "cells", "responders": "cells", "rejection": "1/day"}

    mismatch: Scalar = parameter(
        "", "mismatch: 1 unrelated, about 0.5 haploidentical", scale="logit"
    )
    host_H0: Scalar = parameter("cells", "host lymphocytes at rest", KIMMEL)
    cy_EH: Scalar = parameter(
        "L/mg/day", "lymphocytes killed per concentration", "PMID 6409485"
    )
    rej_f: Scalar = parameter(
        "", "share of host T cells against the donor at full mismatch", MLR
    )
    rej_kp: Scalar = parameter("1/day", "priming of host cells", BOOK)
    rej_D50: Scalar = parameter("cells", "donor cells for half the antigen", ASSUMED)
    rej_rho: Scalar = parameter("1/day", "division of primed host cells", BOOK)
    rej_kd: Scalar = parameter("1/day", "primed host cells becoming killers", BOOK)
    rej_dE: Scalar = parameter("1/day", "loss of host killers", BOOK)
    rej_kap: Scalar = parameter("1/day", "donor cells killed per host killer", HALLE)
    rej_h: Scalar = parameter("cells", "half-saturation of rejection", ASSUMED)
    rej_kapG: Scalar = parameter(
        "1/day", "host responders killed by the donor", ASSUMED
    )

    def initial(self, inputs: Inputs) -> Host:
        zero = jnp.zeros_like(self.host_H0)
        return Host(T_SHARE * self.host_H0 * self.rej_f * self.mismatch, zero, zero)

    def dose(self, state: Host, name: str, amount: Scalar) -> Host:
        return state

    def rates(self, t: Scalar, state: Host, inputs: Inputs) -> Host:
        outside = inputs.covariate
        vetoed = m.veto(
            outside["alloreactive"], state.A1, state.A2, greatest=self.rej_kapG,
            half=self.rej_h,
        )  # fmt: skip
        return Host(
            *m.host_response(
                *state,
                m.saturation(outside["donor"], self.rej_D50),
                self.cy_EH * outside["cyclophosphamide"] + vetoed,
                priming=self.rej_kp,
                division=self.rej_rho,
                maturation=self.rej_kd,
                death=self.rej_dE,
            )
        )

    def observe(self, t: Scalar, state: Host, inputs: Inputs) -> Mapping[str, Scalar]:
        rejected = m.rejection(
            state.A2, inputs.covariate["donor"], greatest=self.rej_kap, half=self.rej_h
        )
        return {
            "killers": state.A2,
            "responders": state.A0 + state.A1 + state.A2,
            "rejection": rejected,
        }
