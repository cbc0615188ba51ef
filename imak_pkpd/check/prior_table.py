"""A prior predictive in numbers: one row per estimand, and where it was computed.

| part | patients | a row says |
|---|---|---|
| `medians` | at the prior medians | mean, or quantiles over patients |
| `trials` | at draws of the prior | the same, and counts in trials of some size |
| `scenario` | at the medians, one thing otherwise | the same as `medians` |

`where` is a stratum, or the name of a scenario. A remission that another estimand reads
earlier too has a row "NAME, not BEFORE": among the patients who were above the level
then. All are outputs of a model.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from imak_pkpd.estimand import (
    AbstractEstimand,
    CrossingEstimand,
    Outcome,
    RemissionEstimand,
)
from imak_pkpd.fit.prior_predictive import PerPatient, PriorPredictive

TITLE = "Model outputs from priors, on virtual patients; not data"
QUANTILES = (0.05, 0.5, 0.95)

Values = Float[np.ndarray, "draw patient"]
Mask = Bool[np.ndarray, "draw patient"]


@dataclass(frozen=True)
class Row:
    """One estimand in one group of patients; None is what its kind does not have.

    `se` is the error of the mean: of independent patients at the medians (too large for
    quasi-random ones), of independent draws in `trials`. Quantiles are over patients;
    a time that was never above its limit is 0, one that is not reached is infinite.
    `trial_` are quantiles over trials of how many have the outcome.
    """

    part: str
    where: str
    estimand: str
    kind: str
    patients: int
    unsolved: int
    mean: float | None = None
    se: float | None = None
    q05: float | None = None
    q50: float | None = None
    q95: float | None = None
    crossed: float | None = None
    never_above: float | None = None
    not_crossed: float | None = None
    trial_q05: float | None = None
    trial_q50: float | None = None
    trial_q95: float | None = None


def prior_frame(found: PriorPredictive, size: int, number: int = 1) -> pd.DataFrame:
    """All rows; trials have `size` patients, whose outcomes are drawn by `number`."""
    return pd.DataFrame([*prior_rows(found, size, number)])


def prior_rows(found: PriorPredictive, size: int, number: int = 1) -> Iterator[Row]:
    rng = np.random.default_rng(number)
    yield from (row for row, _ in _everyone(found, "medians", "", found.medians))
    for row, values in _everyone(found, "trials", "", found.drawn):
        yield _counted(row, values, size, rng) if row.kind == "chance" else row
    for part, there in (("medians", found.medians), ("trials", found.drawn)):
        yield from _strata(found, part, there)
    for name, there in found.scenarios.items():
        yield from (r for r, _ in _everyone(found, "scenario", name, there))


def _everyone(
    found: PriorPredictive, part: str, where: str, there: PerPatient
) -> Iterator[tuple[Row, Values]]:
    """Each row, with the values that it sums up."""
    everyone = np.ones(there["failed"].shape, bool)
    for name, block in found.spec.estimand.items():
        yield row_of(name, block, Row(part, where, name, "", 0, 0), there, everyone)
        before = baseline(found.spec.estimand, name)
        if before is not None:
            named = Row(part, where, f"{name}, not {before}", "share", 0, 0)
            yield conditional(named, there[name], there[before]), there[name]


def _strata(found: PriorPredictive, part: str, there: PerPatient) -> Iterator[Row]:
    """The chances by class of a parameter."""
    for parameter, cuts in found.spec.cohort[found.cohort].strata.items():
        for low, high in pairwise((-np.inf, *cuts, np.inf)):
            inside = (there[parameter] >= low) & (there[parameter] < high)
            where = stratum_name(parameter, low, high)
            for name, block in found.spec.estimand.items():
                if block.is_chance and inside.any():
                    row = Row(part, where, name, "", 0, 0)
                    yield row_of(name, block, row, there, inside)[0]


def stratum_name(parameter: str, low: float, high: float) -> str:
    if np.isinf(low):
        return f"{parameter} < {high:g}"
    above = f"{parameter} >= {low:g}"
    return above if np.isinf(high) else f"{above}, < {high:g}"


def row_of(
    name: str, block: AbstractEstimand, row: Row, there: PerPatient, inside: Mask
) -> tuple[Row, Values]:
    """The row filled in, for the patients that are inside and solved."""
    solved = inside & ~there["failed"]
    counts: dict = {
        "patients": int(solved.sum()),
        "unsolved": int((inside & ~solved).sum()),
    }
    if isinstance(block, CrossingEstimand):
        values, said = _times(there[name], there[f"{name}_outcome"], solved)
    else:
        values, said = there[name], _mean(block, there[name], solved)
    return replace(row, **counts, **said), values


def _times(value: Values, outcome: Values, solved: Mask) -> tuple[Values, dict]:
    """Times that can be ordered, their quantiles, and the share of each outcome."""
    values = np.where(outcome == Outcome.never_above, 0.0, value)
    values = np.where(outcome == Outcome.not_crossed, np.inf, values)
    shares = {each.name: float(np.mean(outcome[solved] == each)) for each in Outcome}
    return values, {"kind": "time", **shares, **_over(values[solved])}


def _mean(block: AbstractEstimand, values: Values, solved: Mask) -> dict:
    mean, se = ratio(np.where(solved, values, 0.0), solved.astype(float))
    said = {"kind": "chance", "mean": mean, "se": se}
    return (
        said if block.is_chance else {**said, "kind": "value", **_over(values[solved])}
    )


def _over(values: Float[np.ndarray, " n"]) -> dict[str, float]:
    """Quantiles that are values themselves, as some may be infinite."""
    found = np.quantile(values, QUANTILES, method="inverted_cdf")
    return dict(zip(("q05", "q50", "q95"), map(float, found), strict=True))


def ratio(above: Values, below: Values) -> tuple[float, float]:
    """Sum of one over sum of the other, and its standard error.

    By linearisation; independent are draws, or patients where there is one draw.
    """
    share = above.sum() / below.sum()
    away = above - share * below
    parts = away.sum(1) if len(away) > 1 else away[0]
    n = len(parts)
    return float(share), float(np.sqrt(n / (n - 1) * np.sum(parts**2)) / below.sum())


def baseline(estimands: Mapping[str, AbstractEstimand], name: str) -> str | None:
    """The estimand that reads the same remission before all visits of `name`."""
    own = estimands[name]
    for other, block in estimands.items():
        if isinstance(own, RemissionEstimand) and isinstance(block, RemissionEstimand):
            same = own.model_copy(update={"visits": block.visits}) == block
            if same and max(block.visits) < min(own.visits):
                return other
    return None


def conditional(row: Row, after: Values, before: Values) -> Row:
    """P(below the level later | above it before), the level being one in a patient.

    With P(min < level) and P(first < level) by the same error of the level, the chance
    of both "not before" and "later" is their difference where it is positive.
    """
    solved = np.isfinite(after) & np.isfinite(before)
    newly = np.where(solved, np.maximum(after - before, 0.0), 0.0)
    mean, se = ratio(newly, np.where(solved, 1.0 - before, 0.0))
    return replace(
        row, mean=mean, se=se, patients=int(solved.sum()), unsolved=int((~solved).sum())
    )


def _counted(row: Row, values: Values, size: int, rng: np.random.Generator) -> Row:
    """How many of `size` have the outcome, one trial per draw.

    Patients of a trial are drawn from all of its draw, and each one's outcome with its
    chance: together a binomial count with the mean chance.
    """
    mean = np.nanmean(values, axis=1)
    counts = rng.binomial(size, np.clip(mean[np.isfinite(mean)], 0.0, 1.0))
    low, middle, high = np.quantile(counts, QUANTILES)
    return replace(
        row, trial_q05=float(low), trial_q50=float(middle), trial_q95=float(high)
    )
