"""Donor lymphocytes in IL-2: T and NK cells, resting and active, others and the dead.

Densities in 1e6 cells/mL, IL-2 in IU/mL, days. For T (and alike for NK, with N, kaN,
EC50N, ...), with E = I^hill/(EC50T^hill + I^hill):

    Tr' = -kaT E Tr - dTr Tr
    Ta' = kaT E Tr + rhoT E Ta - dTa (2 - E) Ta
    O'  = -dO O                                    all other cells
    X'  = all deaths - clear X                     dead cells still seen
    I'  = -(kI + qI (Ta + Na)) I

A dose of `il2` is a concentration: 6000 at the start for the product of the therapy. At
one dose EC50, hill, kI and qI cannot be told apart: a series of doses can.

Reference: this project's model of the four-day culture; what is called a hypothesis is
one. Targets of the product: 65 % T and 17 % NK cells (Slavin et al. 2010,
10.1007/s00262-010-0878-1).
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

SELVAN = "5-20 % of mononuclear cells: Selvan & Dowling 2015, 10.1155/2015/869547"
LAK = "full activity after 3-4 d: Grimm et al. 1982, J Exp Med 155:1823"
RECEPTOR = "Kd of the intermediate receptor, 1 nM = 250 IU/mL (textbook)"
BOOK = "textbook"
ASSUMED = "hypothesis"


class Culture(NamedTuple):
    """T cells, NK cells, others and dead ones; I is IL-2 in IU/mL."""

    Tr: Scalar
    Ta: Scalar
    Nr: Scalar
    Na: Scalar
    O: Scalar  # noqa: E741
    X: Scalar
    I: Scalar  # noqa: E741


class Il2Culture(AbstractModel):
    time = "day"
    doses = {"il2": "IU/mL"}
    outputs = {
        "t": "%",
        "nk": "%",
        "viability": "%",
        "recovery": "",
        "lak": "%",
        "live": "1e6 cells/mL",
        "il2": "IU/mL",
    }

    cul_seed: Scalar = parameter("1e6 cells/mL", "density at seeding", ASSUMED)
    cul_fT0: Scalar = parameter("", "T cells at seeding", BOOK, scale="logit")
    cul_fN0: Scalar = parameter("", "NK cells at seeding", SELVAN, scale="logit")
    cul_EC50T: Scalar = parameter("IU/mL", "IL-2 for half the effect on T", RECEPTOR)
    cul_EC50N: Scalar = parameter("IU/mL", "IL-2 for half the effect on NK", RECEPTOR)
    cul_hill: Scalar = parameter("", "Hill exponent of IL-2", ASSUMED)
    cul_kaT: Scalar = parameter("1/day", "activation of T cells", ASSUMED)
    cul_kaN: Scalar = parameter("1/day", "activation of NK cells", LAK)
    cul_rhoT: Scalar = parameter("1/day", "division of active T cells", ASSUMED)
    cul_rhoN: Scalar = parameter("1/day", "division of active NK cells", ASSUMED)
    cul_dTr: Scalar = parameter("1/day", "death of resting T cells", ASSUMED)
    cul_dTa: Scalar = parameter("1/day", "death of active T cells", ASSUMED)
    cul_dNr: Scalar = parameter("1/day", "death of resting NK cells", ASSUMED)
    cul_dNa: Scalar = parameter("1/day", "death of active NK cells", ASSUMED)
    cul_dO: Scalar = parameter("1/day", "loss of other cells", ASSUMED)
    cul_clear: Scalar = parameter("1/day", "clearance of dead cells", ASSUMED)
    cul_kI: Scalar = parameter("1/day", "decay of IL-2 in medium", ASSUMED)
    cul_qI: Scalar = parameter("mL/1e6 cells/day", "uptake of IL-2", ASSUMED)

    def initial(self, inputs: Inputs) -> Culture:
        zero = jnp.zeros_like(self.cul_seed)
        # Shares that add up to more than 1 leave no others, and not fewer than none.
        per_share = self.cul_seed / jnp.maximum(self.cul_fT0 + self.cul_fN0, 1.0)
        T, N = per_share * self.cul_fT0, per_share * self.cul_fN0
        # from the shares: a difference of densities is a rounding below none
        others = self.cul_seed * jnp.maximum(1.0 - self.cul_fT0 - self.cul_fN0, 0.0)
        return Culture(T, zero, N, zero, others, zero, zero)

    def dose(self, state: Culture, name: str, amount: Scalar) -> Culture:
        return state._replace(I=state.I + amount)

    def rates(self, t: Scalar, state: Culture, inputs: Inputs) -> Culture:
        T = m.activated_in_culture(
            state.Tr, state.Ta, m.hill(state.I, self.cul_EC50T, self.cul_hill),
            activation=self.cul_kaT, division=self.cul_rhoT,
            death_resting=self.cul_dTr, death_active=self.cul_dTa,
        )  # fmt: skip
        N = m.activated_in_culture(
            state.Nr, state.Na, m.hill(state.I, self.cul_EC50N, self.cul_hill),
            activation=self.cul_kaN, division=self.cul_rhoN,
            death_resting=self.cul_dNr, death_active=self.cul_dNa,
        )  # fmt: skip
        lost = self.cul_dO * state.O
        return Culture(
            Tr=T.resting,
            Ta=T.activated,
            Nr=N.resting,
            Na=N.activated,
            O=-lost,
            X=T.deaths + N.deaths + lost - self.cul_clear * state.X,
            I=inputs.infusion["il2"]
            + m.il2_in_medium(
                state.I, state.Ta + state.Na, decay=self.cul_kI, uptake=self.cul_qI
            ),
        )

    def observe(
        self, t: Scalar, state: Culture, inputs: Inputs
    ) -> Mapping[str, Scalar]:
        T, N = state.Tr + state.Ta, state.Nr + state.Na
        live = T + N + state.O
        return {
            "t": 100.0 * T / live,
            "nk": 100.0 * N / live,
            "viability": 100.0 * live / (live + state.X),
            "recovery": live / self.cul_seed,
            "lak": 100.0 * state.Na / N,
            "live": live,
            "il2": state.I,
        }
