"""What a NUTS fit of patients and facts keeps of the facts, draw by draw."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from arviz_stats.base import array_stats
from jaxtyping import Int
from scipy.special import logsumexp

from imak_pkpd.fit.certificate import tail_shape
from imak_pkpd.fit.evidence_store import (
    by_draw,
    facts_said,
    names_of_facts,
    refined_group,
    replicates,
)
from imak_pkpd.fit.scrambles import refined_cohorts
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.terms import Column, Sites, Terms, fact_names, terms_at, terms_of
from imak_pkpd.fit.tree import Group, Variable
from imak_pkpd.fit.virtual import Virtual
from imak_pkpd.fit.weighting import SECOND
from imak_pkpd.fit.weights import effective, weighted_moments


class OfFacts(NamedTuple):
    """Groups of the result, names along their dims, and attributes.

    `log_likelihood` by draw and fact belongs beside that of the subjects.
    """

    log_likelihood: Group
    groups: dict[str, Group]
    names: dict[str, list[str]]
    attributes: dict[str, Any]


def of_facts(
    spec: FitSpec, cohorts: Mapping[str, Virtual], posterior: Sites, prior: Sites
) -> OfFacts:
    """Cohort means before and after, and nearly independent draws of equal weight.

    Sites are [chain, draw, ...]. Without a fact F a draw of `refined` has the weight
    1/L of F: `log_proposal` is minus the log-likelihood of all facts that are used.
    """
    chains = len(next(iter(posterior.values())))
    flat = _in_a_row(posterior)
    after = terms_of(spec, cohorts, flat)
    before = terms_of(spec, cohorts, _in_a_row(prior))
    place = apart(after, chains)
    some = terms_at(after, place)
    own = {name: value[place] for name, value in flat.items()}
    equal = np.full(len(place), -np.log(len(place)))
    rng = np.random.default_rng(spec.estimation.seed)
    proposal = equal - some.total(fact_names(spec))
    return OfFacts(
        {"fact_log_likelihood": by_fact(spec, after, chains)},
        {
            "cohort_estimand": by_draw(after.means, chains),
            "prior_estimand": by_draw(before.means),
            "refined": refined_group(spec, some, own, equal, proposal),
        },
        names_of_facts(spec),
        {
            "facts": facts_said(spec),
            "double_use": list(spec.double_use),
            "replicates": replicates(spec, some.means, rng),
            "virtual": more_patients(spec, cohorts, own, some),
        },
    )


def by_fact(spec: FitSpec, terms: Terms, chains: int) -> Variable:
    """The log-likelihood of every fact and alternative, [chain, draw, fact]."""
    columns = np.stack([terms.log_likelihood[name] for name in fact_names(spec)], -1)
    shaped = columns.reshape(chains, -1, columns.shape[-1])
    return Variable(("chain", "draw", "fact"), shaped)


def apart(terms: Terms, chains: int) -> Int[np.ndarray, " some"]:
    """Places of draws as far apart as leaves them nearly independent.

    As many as the draws of the mean or log-likelihood that mixes worst are worth.
    """
    columns = [
        column.reshape(chains, -1)
        for found in (*terms.means.values(), terms.log_likelihood)
        for column in found.values()
    ]
    draws = columns[0].size
    sizes = [_worth(column) for column in columns if _varies(column)]
    number = int(np.clip(min(sizes, default=draws), 1, draws))
    return np.floor(np.arange(number) * draws / number).astype(int)


def _varies(column: np.ndarray) -> bool:
    """False too for an estimand that some draw lacks: it has no ESS."""
    return bool(np.isfinite(column).all() and np.ptp(column) > 0)


def _worth(column: np.ndarray) -> float:
    """The bulk ESS."""
    return float(array_stats.ess(column, chain_axis=0, draw_axis=1, method="bulk"))


def more_patients(
    spec: FitSpec, cohorts: Mapping[str, Virtual], sites: Sites, few: Terms
) -> dict[str, Any]:
    """How far the posterior moves when cohorts are refined: weights, and shifts in SDs.

    Of every parameter that is one number; the patients are more, and other points.
    """
    draws = min(SECOND, len(few.failed))
    place = np.linspace(0, len(few.failed) - 1, draws).astype(int)
    own = {name: value[place] for name, value in sites.items()}
    many = refined_cohorts(cohorts, 1)
    used = fact_names(spec)
    log_weight = terms_of(spec, many, own).total(used)
    log_weight = log_weight - terms_at(few, place).total(used)
    return {
        "patients": {name: each.schedule.subjects for name, each in cohorts.items()},
        "refined_patients": {n: each.schedule.subjects for n, each in many.items()},
        "draws": draws,
        "ess": effective(log_weight),
        "khat": tail_shape(log_weight),
        "shift": shifts(own, log_weight),
    }


def shifts(sites: Sites, log_weight: Column) -> dict[str, float]:
    """By how many SDs the weights move the mean of every number that varies."""
    weights = log_weight - logsumexp(log_weight)
    return {
        name: float((weighted_moments(value, weights)[0] - value.mean()) / value.std())
        for name, value in sites.items()
        if value.ndim == 1 and np.ptp(value) > 0
    }


def _in_a_row(sites: Sites) -> dict[str, np.ndarray]:
    """All chains after one another."""
    return {n: value.reshape(-1, *value.shape[2:]) for n, value in sites.items()}
