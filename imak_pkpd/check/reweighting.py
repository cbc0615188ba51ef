"""What would have been learned without a fact, or from another reading of it.

The log weight of a refined draw is the sum of the log-likelihoods of the facts that are
used, and `log_proposal`. Another set of facts is another sum: no solve is repeated.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy.special import logsumexp

from imak_pkpd.fit.certificate import tail_shape
from imak_pkpd.fit.weights import (
    effective,
    weighted_error,
    weighted_moments,
    weighted_quantiles,
)

INTERVAL = (0.05, 0.95)
"""Ends of the central 90 % interval."""

Column = Float[np.ndarray, " draw"]


@dataclass(frozen=True, eq=False)
class Reading:
    """The posterior from other facts: the `change` in words, and normalised weights.

    `fact` is the one that is dropped, added or read as the estimand `alternative`.
    """

    change: str
    fact: str
    alternative: str
    log_weight: Column

    @property
    def ess(self) -> float:
        """How many equally weighted draws these weights are worth."""
        return effective(self.log_weight)

    @property
    def k_hat(self) -> float:
        """The Pareto shape of the tail of the weights."""
        return tail_shape(self.log_weight)


class Moved(NamedTuple):
    """A cohort mean under a reading; `shift` from the fit in its posterior SDs.

    `error` is the Monte Carlo standard error of the mean.
    """

    estimand: str
    cohort: str
    mean: float
    low: float
    high: float
    shift: float
    error: float


def facts_of(tree: xr.DataTree) -> Mapping[str, Mapping[str, Any]]:
    """Facts and alternative readings by name, as the run has stored them."""
    return json.loads(str(tree.attrs.get("facts", "{}")))


def double_use_of(tree: xr.DataTree) -> list[str]:
    """Warnings about patients who count twice; nothing for a fit without facts."""
    said: list[str] = json.loads(str(tree.attrs.get("double_use", "[]")))
    return said


def dropped(tree: xr.DataTree) -> list[Reading]:
    """The posterior without each fact that was used."""
    used = _used(tree)
    return [
        _reading(tree, f"without {name}", name, [f for f in used if f != name])
        for name in used
    ]


def alternatives(tree: xr.DataTree) -> list[Reading]:
    """The posterior with each alternative reading in place of its fact."""
    used = _used(tree)
    return [
        _reading(
            tree,
            f"with {known['alternative_of']} read as {known['of']}",
            known["alternative_of"],
            [*(f for f in used if f != known["alternative_of"]), name],
            known["of"],
        )
        for name, known in facts_of(tree).items()
        if known["alternative_of"]
    ]


def added(tree: xr.DataTree) -> list[Reading]:
    """The posterior with each fact that was kept out of the fit."""
    out = [
        name
        for name, known in facts_of(tree).items()
        if not known["use"] and not known["alternative_of"]
    ]
    used = _used(tree)
    return [_reading(tree, f"with {name}", name, [*used, name]) for name in out]


def moved(tree: xr.DataTree, reading: Reading) -> Iterator[Moved]:
    """Every estimand and cohort under a reading."""
    fit = np.asarray(tree["refined"]["log_weight"].values, float)
    for (name, cohort), values in cohort_means(tree).items():
        mean, sd = weighted_moments(values, fit)
        other, _ = weighted_moments(values, reading.log_weight)
        low, high = weighted_quantiles(values, reading.log_weight, INTERVAL)
        shift = (other - mean) / sd if sd > 0 else np.nan
        error = weighted_error(values, reading.log_weight, other)
        yield Moved(name, cohort, other, low, high, shift, error)


def cohort_means(tree: xr.DataTree) -> dict[tuple[str, str], Column]:
    """The mean over virtual patients at every refined draw, by estimand and cohort."""
    refined = tree["refined"].to_dataset()
    return {
        (str(name), str(cohort)): np.asarray(means.sel(cohort=cohort).values, float)
        for name, means in refined.data_vars.items()
        if means.dims == ("draw", "cohort")
        for cohort in means["cohort"].values
    }


def posterior_sds(tree: xr.DataTree) -> dict[tuple[str, str], float]:
    """The posterior SD of the mean of every estimand that has one, by cohort."""
    fit = np.asarray(tree["refined"]["log_weight"].values, float)
    found = {
        key: weighted_moments(values, fit)[1]
        for key, values in cohort_means(tree).items()
    }
    return {key: sd for key, sd in found.items() if sd > 0}


def total(tree: xr.DataTree, facts: Sequence[str]) -> Column:
    """The log weights, not normalised, from these facts; -inf at a failed draw."""
    refined = tree["refined"].to_dataset()
    terms = refined["log_likelihood"].sel(fact=list(facts)).values
    summed = terms.sum(axis=-1) + refined["log_proposal"].values
    failed = ~np.isfinite(refined["log_weight"].values) | ~np.isfinite(summed)
    return np.where(failed, -np.inf, summed)


def _used(tree: xr.DataTree) -> list[str]:
    return [name for name, known in facts_of(tree).items() if known["use"]]


def _reading(
    tree: xr.DataTree,
    change: str,
    fact: str,
    facts: Sequence[str],
    alternative: str = "",
) -> Reading:
    log_weight = total(tree, facts)
    return Reading(change, fact, alternative, log_weight - logsumexp(log_weight))
