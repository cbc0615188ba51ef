"""Tables of facts made from draws of the prior: where does the truth lie afterwards?

In the posterior of its own table the rank of a truth is uniform, whatever the model.
The truth is solved on points of its own and many of them, the weighted draws as a fit
does: chosen on few patients, weighed on more. Tables that hardly a prior draw agrees
with are left out, as a fit would temper there: they are known by the table alone, so
that the ranks of the others stay uniform.
"""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import kstest

from imak_pkpd.evidence.facts import AtLeastFact
from imak_pkpd.fit.problem import read_model
from imak_pkpd.fit.spec import FitSpec, read_fit
from imak_pkpd.fit.terms import Terms, terms_of
from imak_pkpd.fit.virtual import Virtual, prior_sites, virtual_cohort
from imak_pkpd.fit.weighting import inclusion, systematic
from imak_pkpd.fit.weights import effective

FIT = "200-slavin2023"
FEW, MORE, MANY = 64, 128, 512  # patients: to choose draws, to weigh them, of a truth
DRAWS, REFINED = 2000, 600
ENOUGH = 100  # effective draws
TRUTHS, TABLES = 240, 80
ESTIMANDS = ("cr", "cure", "negative", "gvhd", "grade_3", "grade_4", "chimerism_day_6")


class Draws(NamedTuple):
    """Prior draws, and their means on few and on more patients."""

    sites: Mapping[str, np.ndarray]
    few: Terms
    more: Terms


@pytest.fixture(scope="module")
def spec(root: Path) -> FitSpec:
    """With the facts that it uses."""
    found = read_fit(root / f"fits/{FIT}.toml")
    used = {name: fact for name, fact in found.evidence.items() if fact.use}
    return found.model_copy(update={"evidence": used})


@pytest.fixture(scope="module")
def cohort(spec: FitSpec) -> Virtual:
    return virtual_cohort(spec, read_model(spec), "trial", FEW)


def solved(
    cohort: Virtual, sites: Mapping[str, np.ndarray], patients: int, scramble: int
) -> Terms:
    more = virtual_cohort(
        cohort.spec, cohort.model, cohort.name, patients, scramble, like=cohort
    )
    return terms_of(cohort.spec, {cohort.name: more}, sites)


@pytest.fixture(scope="module")
def draws(cohort: Virtual) -> Draws:
    sites = prior_sites(cohort, draws=DRAWS, number=11)
    return Draws(sites, solved(cohort, sites, FEW, 0), solved(cohort, sites, MORE, 1))


@pytest.fixture(scope="module")
def truths(cohort: Virtual) -> Draws:
    sites = prior_sites(cohort, draws=TRUTHS, number=12)
    many = solved(cohort, sites, MANY, 2)
    return Draws(sites, many, many)


def tables(spec: FitSpec, truths: Draws) -> Iterator[tuple[int, FitSpec]]:
    """A truth and the facts it would have given.

    Of "at least k" only truths that gave as many are kept: their posterior knows it.
    """
    rng = np.random.default_rng(13)
    for truth in np.flatnonzero(truths.more.failed == 0):
        made = {}
        for name, fact in spec.evidence.items():
            mean = truths.more.means[fact.cohort][fact.of][truth]
            k = int(fact.replicate(np.asarray(mean), rng))
            if isinstance(fact, AtLeastFact):
                made[name] = fact if k >= fact.k else None
            else:
                made[name] = fact.model_copy(update={"k": k})
        if None not in made.values():
            yield int(truth), spec.model_copy(update={"evidence": made})


def log_likelihood(spec: FitSpec, terms: Terms) -> np.ndarray:
    """Of all facts of a table, at every draw."""
    found = {
        name: np.asarray(fact.log_likelihood(terms.means[fact.cohort][fact.of]))
        for name, fact in spec.evidence.items()
    }
    used = dict.fromkeys(found, True)
    return terms._replace(log_likelihood=found).total(used)


class Posterior(NamedTuple):
    """Chosen draws with their weights, in the two stages of a fit."""

    chosen: np.ndarray
    log_weight: np.ndarray


def posterior(spec: FitSpec, draws: Draws, seed: int) -> Posterior:
    chance = inclusion(log_likelihood(spec, draws.few), REFINED)
    chosen = systematic(chance, np.random.default_rng(seed))
    log_weight = log_likelihood(spec, draws.more)[chosen] - np.log(chance[chosen])
    return Posterior(chosen, log_weight - logsumexp(log_weight))


def weighed(
    spec: FitSpec, draws: Draws, truths: Draws
) -> Iterator[tuple[int, Posterior]]:
    """Truths whose table can be weighed, with their posterior."""
    for truth, one in tables(spec, truths):
        found = posterior(one, draws, truth)
        if effective(found.log_weight) >= ENOUGH:
            yield truth, found


def quantities(draws: Draws) -> dict[str, np.ndarray]:
    """What has a rank: parameters of the population, and means of estimands."""
    numbers = {n: v for n, v in draws.sites.items() if n.startswith("theta_")}
    return {**numbers, **{n: draws.more.means["trial"][n] for n in ESTIMANDS}}


@pytest.fixture(scope="module")
def ranks(spec: FitSpec, draws: Draws, truths: Draws) -> dict[str, np.ndarray]:
    """Rank of every truth in its posterior, by quantity and table."""
    found: dict[str, list[float]] = {}
    for truth, here in itertools.islice(weighed(spec, draws, truths), TABLES):
        drawn, true = quantities(draws), quantities(truths)
        for name, values in drawn.items():
            below = values[here.chosen] < true[name][truth]
            rank = float(np.exp(here.log_weight) @ below)
            found.setdefault(name, []).append(rank)
    return {name: np.array(each) for name, each in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ESTIMANDS)
def test_ranks_of_estimands_are_uniform(
    ranks: dict[str, np.ndarray], name: str
) -> None:
    """Kolmogorov-Smirnov: one of seven would be below 0.001 in one run of 140."""
    assert len(ranks[name]) == TABLES
    assert kstest(ranks[name], "uniform").pvalue > 0.001


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_of_parameters_cover(
    ranks: dict[str, np.ndarray], level: float
) -> None:
    """Pooled over all parameters, within 4 standard errors between tables."""
    pooled = np.stack([each for name, each in ranks.items() if "theta_" in name])
    low, high = (1 - level) / 2, (1 + level) / 2
    by_table = ((low <= pooled) & (pooled <= high)).mean(0)
    error = by_table.std(ddof=1) / np.sqrt(len(by_table))
    assert abs(by_table.mean() - level) < 4 * error
