"""What cohort means say of facts: `terms_of` at many draws, `joint_evidence` at one.

`joint_evidence` is a term of a density: its gradient is that of the cohort's means.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from imak_pkpd.estimand import CrossingEstimand
from imak_pkpd.fit.readings import mean_of_solved
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.virtual import (
    UNSOLVED,
    Means,
    Virtual,
    cohort_means,
)

Column = Float[np.ndarray, " draw"]
Sites = Mapping[str, np.ndarray]


def fact_names(spec: FitSpec) -> dict[str, bool]:
    """Facts and their alternatives, and whether each is used."""
    return {
        name: use
        for fact, block in spec.evidence.items()
        for name, use in (
            (fact, block.use),
            *((f"{fact} [{other}]", False) for other in block.alternatives),
        )
    }


class Terms(NamedTuple):
    """At every draw: means by cohort and estimand, and log-likelihoods by fact.

    An alternative reading A of a fact F is the fact "F [A]". `failed` is the share of
    virtual patients that cannot be solved: means are over the others.
    """

    means: Mapping[str, Means]
    log_likelihood: Mapping[str, Column]
    failed: Column

    @property
    def lost(self) -> Bool[np.ndarray, " draw"]:
        """Draws at which too many patients cannot be solved for a mean to be one."""
        return self.failed > UNSOLVED

    def total(self, facts: Mapping[str, bool]) -> Column:
        """The log-likelihood of all facts that are used; -inf where a draw is lost."""
        draws = np.zeros(len(self.failed))
        used = (self.log_likelihood[name] for name, use in facts.items() if use)
        total = sum(used, start=draws)
        return np.where(np.isfinite(total) & ~self.lost, total, -np.inf)


def terms_of(
    spec: FitSpec,
    cohorts: Mapping[str, Virtual],
    sites: Sites,
    advance: Callable[[int], None] = lambda draws: None,
) -> Terms:
    """Means of all estimands over all cohorts, and what they say of the facts."""
    wanted = with_means(spec)
    means = {
        name: cohort_means(cohort, sites, wanted, advance)
        for name, cohort in cohorts.items()
    }
    failed = np.max([means[name].pop("failed") for name in cohorts], axis=0)
    return Terms(means, log_likelihoods(spec, means), failed)


def terms_at(terms: Terms, place: Int[np.ndarray, " some"]) -> Terms:
    """The terms of some of the draws."""
    means = {
        cohort: {name: column[place] for name, column in found.items()}
        for cohort, found in terms.means.items()
    }
    facts = {name: column[place] for name, column in terms.log_likelihood.items()}
    return Terms(means, facts, terms.failed[place])


def joint_evidence(
    spec: FitSpec, cohorts: Mapping[str, Virtual], sites: Mapping[str, Array]
) -> Float[Array, ""]:
    """The log-likelihood of all facts that are used, at one draw of `sites`.

    Each at the mean of its estimand over the solved patients of its cohort; -inf where
    too many virtual patients cannot be solved.
    """
    used = [fact for fact in spec.evidence.values() if fact.use]
    total, failed = jnp.zeros(()), jnp.zeros((), bool)
    for name in dict.fromkeys(fact.cohort for fact in used):
        own = [fact for fact in used if fact.cohort == name]
        estimands = tuple(dict.fromkeys(fact.of for fact in own))
        found = cohorts[name].outcomes(sites, estimands)
        unsolved = found["failed"]
        failed |= jnp.mean(unsolved, dtype=float) > UNSOLVED
        means = {n: mean_of_solved(found[n], unsolved) for n in estimands}
        total += sum(fact.log_likelihood(means[fact.of]) for fact in own)
    return jnp.where(failed | ~jnp.isfinite(total), -jnp.inf, total)


def log_likelihoods(spec: FitSpec, means: Mapping[str, Means]) -> dict[str, Column]:
    """The log-likelihood of every fact and alternative, from means by cohort."""
    found = {}
    for name, fact in spec.evidence.items():
        own = means[fact.cohort]
        found[name] = np.asarray(fact.log_likelihood(own[fact.of]))
        for other in fact.alternatives:
            found[f"{name} [{other}]"] = np.asarray(fact.log_likelihood(own[other]))
    return found


def with_means(spec: FitSpec) -> tuple[str, ...]:
    """The estimands that every patient has: a crossing may have no time."""
    return tuple(
        name
        for name, block in spec.estimand.items()
        if not isinstance(block, CrossingEstimand)
    )
