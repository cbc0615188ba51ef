"""Do two sets of quasi-random patients say the same? `scrambles_agree`, with its error.

`refined_cohorts` are the cohorts at any of their sets of points.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.terms import Column, Sites, Terms, fact_names, with_means
from imak_pkpd.fit.virtual import Means, Virtual, means_once, virtual_cohort
from imak_pkpd.fit.weights import weighted_error, weighted_moments
from imak_pkpd.solve.cores import on_all_cores

SETS = 8  # more scrambles, whose means tell the error of one set of points


class Agreement(NamedTuple):
    """A weighted mean at either set of points, and its combined standard error.

    That of the draws at either, and of `points` at both.
    """

    first: float
    second: float
    points: float
    se: float


def scrambles_agree(
    spec: FitSpec,
    terms: tuple[Terms, Terms],
    log_proposal: Column,
    points: Mapping[str, float],
) -> dict[str, Agreement]:
    """Posterior means of the estimands at each scramble, weights and all.

    `terms` are of the same draws at either, `points` the `errors_of_points`.
    """
    made = {}
    for cohort, means in terms[1].means.items():
        for name in means:
            (a, se_a), (b, se_b) = (
                _estimate(spec, log_proposal, each, cohort, name) for each in terms
            )
            key = f"{name} ({cohort})"
            of = points[key]
            se = float(np.linalg.norm([se_a, se_b, of, of]))
            made[key] = Agreement(a, b, of, se)
    return made


def _estimate(
    spec: FitSpec, log_proposal: Column, terms: Terms, cohort: str, name: str
) -> tuple[float, float]:
    """The weighted mean by one set of points, with its standard error."""
    log_weight = terms.total(fact_names(spec)) + log_proposal
    log_weight, values = log_weight - logsumexp(log_weight), terms.means[cohort][name]
    mean, _ = weighted_moments(values, log_weight)
    return mean, weighted_error(values, log_weight, mean)


def errors_of_points(
    spec: FitSpec,
    cohorts: Mapping[str, Virtual],
    sites: Sites,
    told: Callable[[str], None],
) -> dict[str, float]:
    """The SD between sets of points of a cohort mean, itself the mean over draws.

    The virtual patients are common to all draws: no weight tells of their error. Who is
    lost is lost at every set: draws are not solved again with shorter steps.
    """
    told(f"refined draws, {SETS} other sets of points")

    def one(number: int) -> Mapping[str, Means]:
        sets, wanted = refined_cohorts(cohorts, 3 + number), with_means(spec)
        return {n: means_once(each, sites, wanted) for n, each in sets.items()}

    found = on_all_cores(one, range(SETS))
    return {
        f"{name} ({cohort})": _spread([each[cohort][name].mean() for each in found])
        for cohort, means in found[0].items()
        for name in means
        if name != "failed"
    }


def _spread(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1))


def refined_cohorts(
    cohorts: Mapping[str, Virtual], scramble: int
) -> dict[str, Virtual]:
    """The refined cohorts, other points each time, on the steps of the first ones."""

    def refined(cohort: Virtual) -> Virtual:
        spec, many = cohort.spec, cohort.block.refined
        return virtual_cohort(
            spec, cohort.model, cohort.name, many, scramble, like=cohort
        )

    return {name: refined(cohort) for name, cohort in cohorts.items()}
