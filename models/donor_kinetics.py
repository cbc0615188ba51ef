"""Donor NK cells, alloreactive T cells and other cells in a host that is given.

    N'  = (rhoN fN r - dN - dW (1 - fN) - rej - EH C) N
    DA' = (G rhoA (a + b fT) min(r, 1.5) - dA - dW b (1 - fT) - rej - EH C) DA
    DB' = (rhoB fT r - dB - dW (1 - fT) - rej - EH C) DB

with b = 1 - a, D = N + DA + DB, r = (H0/(H + D))^space, G = DA/(DA + 10),
rej = kap K/(rej_h + K + D) and fT, fN = c/(EC50 + c). Days, cells of the whole body.

Columns of the data say what comes from outside: `host` H (host lymphocytes, cells),
`killers` K (host cells that kill donor cells), `il2` c (IU/mL), `cyclophosphamide` C
(mg/L). Of the cells given, the share don_surv is there don_lag later.

Reference: this project's full model (imak_full.py has the sources of its numbers).
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp

from imak_pkpd.model import (
    AbstractModel,
    Dosing,
    Inputs,
    Scalar,
    mechanisms as m,
    parameter,
)

KIMMEL = "Kimmel et al. 2021, 10.1098/rspb.2021.0229"
PHASE_1 = "Slavin et al. 2010, 10.1007/s00262-010-0878-1"
LEE = "Lee et al. 1995, Blood 85:1207"
HALLE = "2-16 kills per killer and day in vivo: Halle et al. 2016, Immunity 44:233"
MLR = "1-10 % of T cells respond in a mixed culture; 1:241-1:486 in limiting dilution"
BOOK = "textbook"
ASSUMED = "hypothesis"


class Donor(NamedTuple):
    """Cells of the whole body."""

    N: Scalar
    DA: Scalar
    DB: Scalar


class DonorKinetics(AbstractModel):
    time = "day"
    doses = {"cells": "cells"}
    outputs = {"nk": "cells/uL", "t": "cells/uL", "chimerism": ""}

    il2_EC50T: Scalar = parameter(
        "IU/mL", "IL-2 for half the effect on activated T cells", BOOK
    )
    il2_EC50N: Scalar = parameter(
        "IU/mL", "IL-2 for half the effect on activated NK cells", BOOK
    )
    prod_fT: Scalar = parameter("", "T cells in the product", PHASE_1, scale="logit")
    prod_fN: Scalar = parameter("", "NK cells in the product", PHASE_1, scale="logit")
    mismatch: Scalar = parameter(
        "", "mismatch: 1 unrelated, about 0.5 haploidentical", scale="logit"
    )
    don_surv: Scalar = parameter(
        "", "share of the infused cells that survives", LEE, scale="logit"
    )
    don_lag: Scalar = parameter("day", "delay until they are in blood", LEE)
    don_fb: Scalar = parameter("", "share of lymphocytes in blood", BOOK)
    don_fallo: Scalar = parameter(
        "", "alloreactive share of T cells at full mismatch", MLR
    )
    don_rhoN: Scalar = parameter(
        "1/day", "division of NK cells", "Rubnitz et al. 2010, 10.1200/JCO.2009.24.4590"
    )
    don_rhoA: Scalar = parameter("1/day", "division of alloreactive T cells", LEE)
    don_rhoB: Scalar = parameter("1/day", "division of bystander T cells", ASSUMED)
    don_dN: Scalar = parameter(
        "1/day", "death of NK cells", "Zhang 2007, 10.1111/j.1365-2567.2007.02573.x"
    )
    don_dA: Scalar = parameter("1/day", "death of alloreactive T cells", ASSUMED)
    don_dB: Scalar = parameter("1/day", "death of bystander T cells", ASSUMED)
    don_dW: Scalar = parameter("1/day", "further death without IL-2", ASSUMED)
    don_space: Scalar = parameter("", "exponent of the room to divide", ASSUMED)
    don_auto: Scalar = parameter(
        "", "division kept without IL-2 from outside", ASSUMED, scale="logit"
    )
    cy_EH: Scalar = parameter(
        "L/mg/day", "lymphocytes killed per concentration", "PMID 6409485"
    )
    host_H0: Scalar = parameter("cells", "host lymphocytes at rest", KIMMEL)
    rej_kap: Scalar = parameter("1/day", "donor cells killed per host killer", HALLE)
    rej_h: Scalar = parameter("cells", "half-saturation of rejection", ASSUMED)
    chi_den: Scalar = parameter("", "cells scored per host lymphocyte", ASSUMED)

    def initial(self, inputs: Inputs) -> Donor:
        zero = jnp.zeros_like(self.host_H0)
        return Donor(zero, zero, zero)

    def dosing(self, name: str) -> Dosing:
        return Dosing(lag=self.don_lag, F=self.don_surv)

    def dose(self, state: Donor, name: str, amount: Scalar) -> Donor:
        return Donor(*(x + y for x, y in zip(state, self.product(amount), strict=True)))

    def product(self, cells: Scalar) -> Donor:
        """NK, alloreactive T and other cells among `cells`."""
        alloreactive = self.prod_fT * self.mismatch * self.don_fallo
        cells_by_kind = m.product_cells(
            cells, NK=self.prod_fN, alloreactive=alloreactive
        )
        return Donor(*cells_by_kind)

    def rates(self, t: Scalar, state: Donor, inputs: Inputs) -> Donor:
        outside, donor = inputs.covariate, sum(state, jnp.zeros(()))
        on_T = m.saturation(outside["il2"], self.il2_EC50T)
        on_N = m.saturation(outside["il2"], self.il2_EC50N)
        room = m.lymphopenia(
            outside["host"], donor, rest=self.host_H0, exponent=self.don_space
        )
        lost = self.cy_EH * outside["cyclophosphamide"] + m.rejection(
            outside["killers"], donor, greatest=self.rej_kap, half=self.rej_h
        )
        N = m.il2_dependent_growth(
            on_N, room, division=self.don_rhoN, death=self.don_dN,
            withdrawal=self.don_dW,
        )  # fmt: skip
        DA = m.antigen_driven_growth(
            state.DA, on_T, room, division=self.don_rhoA, death=self.don_dA,
            withdrawal=self.don_dW, autocrine=self.don_auto,
        )  # fmt: skip
        DB = m.il2_dependent_growth(
            on_T, room, division=self.don_rhoB, death=self.don_dB,
            withdrawal=self.don_dW,
        )  # fmt: skip
        given = self.product(inputs.infusion["cells"])
        return Donor(
            N=given.N + state.N * (N - lost),
            DA=given.DA + state.DA * (DA - lost),
            DB=given.DB + state.DB * (DB - lost),
        )

    def observe(self, t: Scalar, state: Donor, inputs: Inputs) -> Mapping[str, Scalar]:
        donor = sum(state, jnp.zeros(()))
        return {
            "nk": m.per_microlitre(state.N, blood_share=self.don_fb),
            "t": m.per_microlitre(state.DA + state.DB, blood_share=self.don_fb),
            "chimerism": m.chimerism(
                donor, inputs.covariate["host"], scored=self.chi_den
            ),
        }
