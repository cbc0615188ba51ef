"""The peers' three problems, under our names and under theirs."""

from collections.abc import Mapping
from typing import NamedTuple


class BenchProblem(NamedTuple):
    """One problem: its files, its parameters, and what the peers call them.

    `name` is our folder, model and fit file; `peer` and `data` are the peers' name and
    their file. `medians` are those of the priors of typical values and `residual` the
    residual SDs at the common point by our sites, both in the peers' order; `varying`
    have a random effect.
    """

    name: str
    peer: str
    data: str
    title: str
    subjects: int
    medians: Mapping[str, float]
    varying: tuple[str, ...]
    residual: Mapping[str, float]


THEO = BenchProblem(
    name="theo",
    peer="theo",
    data="theoph.csv",
    title="theo: 12 subjects, 132 observations, 2 states",
    subjects=12,
    medians={"ka": 1.2, "CL": 0.045, "V": 0.5},
    varying=("ka", "CL", "V"),
    residual={"concentration_proportional": 0.2, "concentration_additive": 0.5},
)

IMAK_5 = BenchProblem(
    name="imak_5",
    peer="imak",
    data="imak_5.csv",
    title="imak-5: 33 patients, 786 observations, 5 states",
    subjects=33,
    medians={
        "rho": 2.5, "dlt": 0.4, "kap": 0.3, "pH": 0.8, "rH": 0.5, "kT": 1.0, "gT": 0.1,
    },
    varying=("rho", "kap", "pH", "kT"),
    residual={"donor_sigma": 0.3, "host_sigma": 0.3, "tumour_sigma": 0.3},
)  # fmt: skip

FRIBERG = BenchProblem(
    name="friberg",
    peer="friberg",
    data="friberg.csv",
    title="friberg: 36 patients, 864 observations, 8 states",
    subjects=36,
    medians={
        "CL": 8.0, "Q": 12.0, "V1": 40.0, "V2": 90.0, "ka": 1.5, "MTT": 110.0,
        "C0": 6.0, "gam": 0.2, "alp": 3e-3,
    },
    varying=("CL", "V1", "MTT", "C0", "alp"),
    residual={"concentration_sigma": 0.3, "neutrophils_sigma": 0.3},
)  # fmt: skip

PROBLEMS = {each.name: each for each in (THEO, IMAK_5, FRIBERG)}
