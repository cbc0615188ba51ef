"""The posterior of published facts by weighting prior draws: forward solves only.

A mean over a fixed cohort is a staircase in the parameters, on which gradients mislead;
with a handful of facts the posterior is near the prior, and weights do better.

1. Draw from the prior; weigh by the facts, on few virtual patients.
2. Choose draws to refine, the likelier the more often, each at most once.
3. Solve those again on many patients; weigh by the facts there, over the chance of
   having been chosen. A second scramble of the quasi-random points must agree.

Where hardly any prior draw agrees with the facts, `adapting` leads draws to them before
2. Where that fails, where it is asked for, and with the records of a few patients
(`records`), `tempering` replaces 1 and 2.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from jaxtyping import Int
from scipy.special import logsumexp

from imak_pkpd.fit.adapting import Pool, adapt, prior_pool
from imak_pkpd.fit.certificate import Certificate, tail_shape
from imak_pkpd.fit.estimation import EstimationBlock
from imak_pkpd.fit.over_draws import PER_CALL
from imak_pkpd.fit.progress import Progress
from imak_pkpd.fit.records import Records
from imak_pkpd.fit.scrambles import (
    Agreement,
    errors_of_points,
    refined_cohorts,
    scrambles_agree,
)
from imak_pkpd.fit.sites import draws_of
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.target import target
from imak_pkpd.fit.tempering import MOVES, MOVES_OF_RECORDS, temper
from imak_pkpd.fit.terms import Column, Sites, Terms, fact_names, terms_at, terms_of
from imak_pkpd.fit.virtual import Virtual, shared_prior, virtual_cohort
from imak_pkpd.fit.weights import effective, evenly_drawn, weighted_moments
from imak_pkpd.model import AnyModel
from imak_pkpd.solve.stepper import Adaptive

BOLDNESS = 0.75
"""Power of the first weights by which draws are chosen: they carry the noise of few
patients, and a draw that was missed cannot come back."""
DEFENCE = 0.1
"""Share of the draws chosen at random among all: it bounds every weight (Hesterberg
1995, Technometrics 37:185)."""

Way = Literal["weights", "adapted", "tempered"]

TOO_FEW = 0.05
"""Of the prior draws: with fewer effective ones the weights rest on too little."""
SECOND = 1000  # refined draws that are solved at a second scramble too
OF_SETS = PER_CALL  # posterior draws that are solved at these: one call's, as it is
CERTIFIED = 16  # posterior draws that are solved by the reference too
SUSPECT = 0.1  # posterior SDs by which a mean may be wrong: more fails the check
REFERENCE = Adaptive(1e-6, 1e-6)  # far below the error of a step of the mesh


@dataclass(frozen=True)
class Weighted:
    """Prior draws with their terms, and the refined ones with their weights.

    `way` is how these were found; `lost` counts the draws on the way that have too many
    unsolved patients, and `proposals` the normals that were fitted. `log_weight` is
    normalised; `log_proposal` is the log of what a draw has too little of the prior;
    `second` are the terms of the first refined draws at another scramble of the points,
    `points` is the SD of a posterior mean between such scrambles; `solver` is the
    largest error of a mean by the mesh, `certificate` that of the records'
    log-likelihood (None: no records, or no mesh).
    """

    way: Way
    prior: Sites
    first: Terms
    lost: int
    proposals: int
    sites: Sites
    refined: Terms
    second: Terms
    points: Mapping[str, float]
    log_proposal: Column
    log_weight: Column
    log_evidence: float
    solver: Mapping[str, float]
    certificate: Certificate | None
    cpu_s: float

    @property
    def ess(self) -> float:
        """How many equally weighted draws the weights are worth."""
        return effective(self.log_weight)

    @property
    def k_hat(self) -> float:
        """The Pareto shape of the tail of the weights."""
        return tail_shape(self.log_weight)


def weigh(
    spec: FitSpec,
    model: type[AnyModel],
    progress: Progress,
    records: Records | None = None,
) -> Weighted:
    """The weighted posterior of a fit file with facts, and with records of few
    patients where it is tempered."""
    start, block = time.process_time(), spec.estimation
    progress.stage("placing the steps of the virtual patients")
    few = {name: virtual_cohort(spec, model, name) for name in spec.cohort}
    whole = _prior_of(few, records)
    prior = draws_of(whole, block.prior_draws, block.seed)
    told = _told(progress, "prior draws", block.prior_draws, len(few))
    first = terms_of(spec, few, prior, told)
    way, pool = weighed(spec, few, whole, prior, first, progress)
    if way == "tempered":
        sites, log_proposal = tempered(spec, few, whole, progress, records)
    else:
        sites, log_proposal = chosen_draws(block, pool)
    refined = _refined(spec, few, sites, 1, progress)
    again = {name: value[:SECOND] for name, value in sites.items()}
    second = _refined(spec, few, again, 2, progress)
    log_weight = refined.total(fact_names(spec)) + log_proposal
    total = float(logsumexp(log_weight))
    log_weight = log_weight - total
    posterior = partial(resampled_sites, sites, log_weight, number=block.seed)
    return Weighted(
        way,
        prior,
        first,
        int(np.count_nonzero(np.isneginf(pool.log_likelihood))),
        pool.proposals,
        sites,
        refined,
        second,
        errors_of_points(spec, few, posterior(OF_SETS), progress.stage),
        log_proposal,
        log_weight,
        total - float(np.log(block.prior_draws)),
        _solver_errors(spec, few, posterior(CERTIFIED), refined, log_weight),
        None if records is None else records.certificate(sites),
        time.process_time() - start,
    )


def _prior_of(
    cohorts: Mapping[str, Virtual], records: Records | None
) -> Callable[[], object]:
    """The NumPyro function of all sites that are sampled."""
    if records is None:
        return partial(shared_prior, tuple(cohorts.values()))
    return partial(records.sample_prior, cohorts)


def weighed(
    spec: FitSpec,
    cohorts: Mapping[str, Virtual],
    prior: Callable[[], object],
    drawn: Sites,
    first: Terms,
    progress: Progress,
) -> tuple[Way, Pool]:
    """How the posterior is found, and draws on few patients that lead to it."""
    said, block = spec.estimation.sampler, spec.estimation
    pool = prior_pool(drawn, first.total(fact_names(spec)))
    if said in ("weights", "tempered"):
        return said, pool
    if said == "auto" and pool.ess >= TOO_FEW * len(pool.log_ratio):
        return "weights", pool
    pool = adapt(
        target(prior, ()),
        partial(_log_likelihood, spec, cohorts),
        pool,
        block.refined_draws,
        block.seed,
        lambda power, ess: progress.stage(
            f"adapting: power {power:.3g} of 1, {ess:.0f} effective draws"
        ),
    )
    met = pool.ess >= block.refined_draws or said == "adapted"
    return ("adapted" if met else "tempered"), pool


def chosen_draws(block: EstimationBlock, pool: Pool) -> tuple[Sites, Column]:
    """The draws to refine, and what they have too little of the prior."""
    chance = inclusion(pool.log_weight, block.refined_draws)
    rng = np.random.default_rng(block.seed)
    # In random order: the first of them are solved at a second set of points.
    chosen = rng.permutation(systematic(chance, rng))
    sites = {name: value[chosen] for name, value in pool.sites.items()}
    share = np.log(block.prior_draws / len(chance))
    return sites, pool.log_ratio[chosen] - np.log(chance[chosen]) + share


def tempered(
    spec: FitSpec,
    cohorts: Mapping[str, Virtual],
    prior: Callable[[], object],
    progress: Progress,
    records: Records | None = None,
) -> tuple[Sites, Column]:
    """Particles of the posterior on few patients; what they have too much of it.

    Their records are solved once for all: only the facts' share is weighed anew.
    """
    block, facts = spec.estimation, partial(_log_likelihood, spec, cohorts)

    def both(sites: Sites) -> Column:
        own = 0.0 if records is None else records.log_likelihood(sites)
        return facts(sites) + own

    found = temper(
        target(prior, ()),
        both,
        block.refined_draws,
        block.seed,
        lambda power: progress.stage(f"tempering: power {power:.3g} of 1"),
        MOVES if records is None else MOVES_OF_RECORDS,
    )
    share = np.log(block.prior_draws / block.refined_draws)
    return found.sites, found.log_evidence + share - facts(found.sites)


def _log_likelihood(
    spec: FitSpec, cohorts: Mapping[str, Virtual], sites: Sites
) -> Column:
    """Of the facts that are used, on these virtual patients."""
    return terms_of(spec, cohorts, sites).total(fact_names(spec))


def _refined(
    spec: FitSpec,
    cohorts: Mapping[str, Virtual],
    sites: Sites,
    scramble: int,
    progress: Progress,
) -> Terms:
    """The terms of draws on many patients."""
    draws = len(next(iter(sites.values())))
    told = _told(progress, f"refined draws, points {scramble}", draws, len(cohorts))
    return terms_of(spec, refined_cohorts(cohorts, scramble), sites, told)


def resampled_sites(sites: Sites, log_weight: Column, draws: int, number: int) -> Sites:
    """A few draws of the posterior, for what is too dear for all."""
    place = resampled(log_weight, draws, np.random.default_rng(number))
    return {name: value[place] for name, value in sites.items()}


def _solver_errors(
    spec: FitSpec,
    few: Mapping[str, Virtual],
    sites: Sites,
    refined: Terms,
    log_weight: Column,
) -> dict[str, float]:
    """The errors on few patients or, where one is suspect, on as many as weigh.

    One patient who crosses a threshold moves a share by 1/64 among few, more than the
    steps do to the 512 that the posterior is made of.
    """
    found = solver_errors(spec, few, sites)
    sds = {
        f"{name} ({cohort})": weighted_moments(column, log_weight)[1]
        for cohort, means in refined.means.items()
        for name, column in means.items()
    }
    if all(error <= SUSPECT * sds[n] for n, error in found.items() if sds[n] > 0):
        return found
    return solver_errors(spec, refined_cohorts(few, 1), sites)


def solver_errors(
    spec: FitSpec, cohorts: Mapping[str, Virtual], sites: Sites
) -> dict[str, float]:
    """The largest difference of a cohort mean from the adaptive reference's."""
    exact = {name: replace(each, stepper=REFERENCE) for name, each in cohorts.items()}
    ours, true = (terms_of(spec, each, sites).means for each in (cohorts, exact))
    return {
        f"{name} ({cohort})": float(np.max(np.abs(found[name] - true[cohort][name])))
        for cohort, found in ours.items()
        for name in found
    }


def inclusion(log_weight: Column, number: int) -> Column:
    """The chance of each draw to be chosen: `number` of them in all, none above 1.

    Proportional to weight^BOLDNESS, but for a tenth that is the same for all; who
    reaches 1 leaves the rest to the others.
    """
    size = np.exp(BOLDNESS * (log_weight - log_weight.max()))
    possible = size > 0
    if np.count_nonzero(possible) <= number:
        return possible.astype(float)
    size = (1 - DEFENCE) * size / size.sum() + DEFENCE * possible / possible.sum()
    certain = np.zeros(len(size), bool)
    while True:
        left = number - certain.sum()
        chance = np.where(certain, 1.0, left * size / size[~certain].sum())
        over = (chance > 1.0) & ~certain
        if not over.any():
            return np.minimum(chance, 1.0)
        certain |= over


def systematic(chance: Column, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
    """Draws chosen with their chances, as evenly as can be (Madow 1949)."""
    order = rng.permutation(len(chance))
    ends = np.cumsum(chance[order])
    ticks = np.arange(rng.random(), ends[-1], 1.0)
    return np.sort(
        order[np.searchsorted(ends, ticks, side="right").clip(max=len(order) - 1)]
    )


def resampled(
    log_weight: Column, draws: int, rng: np.random.Generator
) -> Int[np.ndarray, " draw"]:
    """Equally weighted draws in random order: each as often as its weight says."""
    return rng.permutation(evenly_drawn(log_weight, draws, rng))


def _told(
    progress: Progress, what: str, total: int, cohorts: int
) -> Callable[[int], None]:
    """Says how many draws are done, at every tenth of them; each cohort solves all."""
    done = [0]

    def advance(draws: int) -> None:
        before, done[0] = done[0], done[0] + draws
        if before * 10 // (total * cohorts) != done[0] * 10 // (total * cohorts):
            progress.stage(f"{what}: {min(done[0] // cohorts, total)} of {total}")

    return advance


def _agreements(spec: FitSpec, found: Weighted) -> dict[str, Agreement]:
    """On the draws that were solved at both sets of points."""
    draws = len(found.second.failed)
    first = terms_at(found.refined, np.arange(draws))
    return scrambles_agree(
        spec, (first, found.second), found.log_proposal[:draws], found.points
    )


def as_attributes(spec: FitSpec, found: Weighted) -> dict[str, Any]:
    """The figures of the weighting, as the report reads them."""
    return {
        "prior_draws": len(found.first.failed),
        "refined_draws": len(found.log_weight),
        "way": found.way,
        "proposals": found.proposals,
        "weighed": len(found.first.failed) * (1 + found.proposals),
        "failed": found.lost,
        "unsolved": float(np.exp(found.log_weight) @ found.refined.failed),
        "ess": found.ess,
        "largest_weight": float(np.exp(found.log_weight.max())),
        "log_evidence": found.log_evidence,
        "khat": found.k_hat,
        "scrambles": {
            name: each._asdict() for name, each in _agreements(spec, found).items()
        },
        "patients": {name: block.patients for name, block in spec.cohort.items()},
        "refined_patients": {n: block.refined for n, block in spec.cohort.items()},
        "solver": dict(found.solver),
        "records": None if found.certificate is None else found.certificate.to_dict(),
        "cpu_s": found.cpu_s,
    }
