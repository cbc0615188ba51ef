"""The doses that patients of the data got: beyond them a decision extrapolates."""

from collections.abc import Iterable

import numpy as np

from imak_pkpd.evidence import DoseDesign
from imak_pkpd.fit.problem import Problem, read_problem
from imak_pkpd.fit.spec import FitSpec

Range = tuple[float, float]


def doses_seen(
    spec: FitSpec, cohort: str, named: Iterable[str]
) -> dict[str, Range | None]:
    """Least and most of each named dose of a cohort, in the unit of its design.

    None where no patient's dose is on record: then the effect of a dose rests on model
    and priors.
    """
    if spec.data is None:
        return dict.fromkeys(named)
    problem = read_problem(spec)
    doses = spec.cohort[cohort].dose
    return {name: _range(problem, name, doses[name]) for name in named}


def _range(problem: Problem, name: str, design: DoseDesign) -> Range | None:
    """None too where the column that the design counts per is not in the data, or 0."""
    there = problem.schedule
    if name not in there.dose_names:
        return None
    chosen = there.doses.mask & (there.doses.name == there.dose_names.index(name))
    if not chosen.any() or (design.per and design.per not in there.columns):
        return None
    amount = np.asarray(there.doses.amount)
    if design.per:
        place = there.columns.index(design.per)
        per = np.asarray(there.covariates.value)[:, :1, place]
        if not (per > 0).all():
            return None
        amount = amount / per
    given = amount[chosen]
    return float(given.min()), float(given.max())
