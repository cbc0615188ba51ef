"""What the trials show: figures of the arms, and how often a comparison succeeds.

Draws of the posterior are the outer level: trials at one draw are alike, so every Monte
Carlo error is that of means by draw. The mean of the power over the posterior is the
assurance (O'Hagan, Stevens & Campbell 2005, 10.1002/pst.175).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from imak_pkpd.decide.trial.comparison import AbstractComparison, Sample, comparison_of
from imak_pkpd.decide.trial.simulate import Trials

INTERVAL = (0.05, 0.95)
GROUPS = 5  # of draws, by what the arm truly does

ByTrial = Float[np.ndarray, "draw trial"]
ByDraw = Float[np.ndarray, " draw"]


class Estimate(NamedTuple):
    """A mean, with its Monte Carlo error."""

    mean: float
    se: float


class Spread(NamedTuple):
    """A mean, and 5 and 95 %: of draws, or of trials."""

    mean: float
    low: float
    high: float


class Group(NamedTuple):
    """Draws with about the same true difference: that, and the power there."""

    difference: float
    power: Estimate


@dataclass(frozen=True)
class InArm:
    """One endpoint of one arm.

    `expected`: what the arm does, over draws; `observed`: what trials report, over
    trials; `dropped` and `died`: the shares who are gone before it is seen.
    """

    endpoint: str
    arm: str
    expected: Spread
    observed: Spread
    dropped: float
    died: float


@dataclass(frozen=True)
class Compared:
    """One endpoint of one arm against another arm, or a number.

    `success`: how often the test is passed, over draws and trials (assurance);
    `power_sd`: how much its chance differs between draws; `if_better` and `if_not`:
    where the arm is truly better, and where it is not. `p_better` is the share of draws
    where it is; `groups` are draws from the worst true difference to the best.
    """

    endpoint: str
    arm: str
    against: str | float
    difference: Spread
    observed: Spread
    p_better: float
    success: Estimate
    power_sd: float
    if_better: Estimate
    if_not: Estimate
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class OfEndpoint:
    """How often the arm that looks best is the best, and the error of the first kind.

    That is how often the arm that others are held to beats itself; None: the endpoint
    is held to a number, where the test is exact or Student's.
    """

    endpoint: str
    picks_best: Estimate | None
    false_success: Estimate | None


@dataclass(frozen=True)
class Characteristics:
    """All of a trial; `together` by arm: every endpoint that it is compared in."""

    arms: tuple[InArm, ...]
    compared: tuple[Compared, ...]
    endpoints: tuple[OfEndpoint, ...]
    together: Mapping[str, Estimate]


def characteristics(trials: Trials) -> Characteristics:
    """The operating characteristics."""
    passed = {
        (endpoint, arm): _passed(trials, endpoint, arm)
        for endpoint in trials.block.endpoint
        for arm in trials.block.compared(endpoint)
    }
    return Characteristics(
        tuple(_arms(trials)),
        tuple(_compared(trials, *key, passed[key]) for key in passed),
        tuple(_of_endpoint(trials, name) for name in trials.block.endpoint),
        dict(_together(trials, passed)),
    )


def comparison(trials: Trials, endpoint: str) -> AbstractComparison:
    """How an endpoint is compared."""
    first = next(iter(trials.endpoints[endpoint].values()))
    return comparison_of(first.kind, first.more, first.at)


def figures(trials: Trials, endpoint: str, arm: str) -> ByTrial:
    """What every trial reports of an arm."""
    sample = trials.found[endpoint][arm].sample
    return _by_trial(comparison(trials, endpoint).figure(_flat(sample)), trials)


def p_values(trials: Trials, endpoint: str, arm: str) -> ByTrial:
    """Of every trial, one-sided."""
    own, how = trials.found[endpoint][arm].sample, comparison(trials, endpoint)
    against = trials.block.against(endpoint)
    if isinstance(against, str):
        other = trials.found[endpoint][against].sample
        return _by_trial(how.p_value(_flat(own), _flat(other)), trials)
    return _by_trial(how.p_against(_flat(own), against), trials)


def _flat(sample: Sample) -> Sample:
    return Sample(*(each.reshape(-1, each.shape[-1]) for each in sample))


def _by_trial(value: np.ndarray, trials: Trials) -> ByTrial:
    return value.reshape(trials.block.draws, trials.block.repeats)


def _passed(trials: Trials, endpoint: str, arm: str) -> Bool[np.ndarray, "draw trial"]:
    return p_values(trials, endpoint, arm) <= trials.block.endpoint[endpoint].alpha


def estimate(by_trial: np.ndarray) -> Estimate:
    """The mean over draws and trials; its error is that of the means by draw."""
    by_draw = np.asarray(by_trial, float).mean(-1)
    if len(by_draw) == 0:
        return Estimate(np.nan, np.nan)
    error = np.nan
    if len(by_draw) > 1:
        error = float(np.std(by_draw, ddof=1) / np.sqrt(len(by_draw)))
    return Estimate(float(by_draw.mean()), error)


def power_sd(passed: np.ndarray) -> float:
    """The standard deviation over draws of the chance to pass.

    Of means of few trials, less what they differ by chance: the mean of
    p (1 - p)/(trials - 1).
    """
    by_draw = passed.mean(-1)
    chance = by_draw * (1.0 - by_draw) / (passed.shape[-1] - 1)
    return float(np.sqrt(max(np.var(by_draw, ddof=1) - chance.mean(), 0.0)))


def _spread(values: np.ndarray) -> Spread:
    known = values[~np.isnan(values)]
    if known.size == 0:
        return Spread(np.nan, np.nan, np.nan)
    low, high = np.quantile(known, INTERVAL)
    return Spread(float(known.mean()), float(low), float(high))


def _arms(trials: Trials) -> Iterator[InArm]:
    for endpoint in trials.block.endpoint:
        for arm in trials.block.arm:
            there = trials.found[endpoint][arm]
            yield InArm(
                endpoint,
                arm,
                _spread(trials.expected[endpoint][arm]),
                _spread(figures(trials, endpoint, arm)),
                float(there.dropped.mean()),
                float(there.died.mean()),
            )


def _compared(trials: Trials, endpoint: str, arm: str, passed: np.ndarray) -> Compared:
    against, true = trials.block.against(endpoint), trials.expected[endpoint]
    other: ByDraw | float = true[against] if isinstance(against, str) else against
    difference = true[arm] - other
    seen: ByTrial | float = (
        figures(trials, endpoint, against) if isinstance(against, str) else against
    )
    sign = 1.0 if trials.endpoints[endpoint][arm].more else -1.0
    known = ~np.isnan(difference)  # draws at which somebody is solved
    better = known & (sign * difference > 0)
    return Compared(
        endpoint,
        arm,
        against,
        _spread(difference),
        _spread(figures(trials, endpoint, arm) - seen),
        float(better.sum() / max(known.sum(), 1)),
        estimate(passed),
        power_sd(passed),
        estimate(passed[better]),
        estimate(passed[known & ~better]),
        tuple(_groups(difference[known], sign, passed[known])),
    )


def _groups(difference: ByDraw, sign: float, passed: np.ndarray) -> Iterator[Group]:
    order = np.argsort(sign * difference, kind="stable")
    for part in np.array_split(order, max(min(GROUPS, len(order) // 2), 1)):
        if len(part):
            yield Group(float(difference[part].mean()), estimate(passed[part]))


def _of_endpoint(trials: Trials, endpoint: str) -> OfEndpoint:
    """A choice among arms, where there are several, and the control's twin."""
    block, how = trials.block.endpoint[endpoint], comparison(trials, endpoint)
    against, false = trials.block.against(endpoint), None
    if isinstance(against, str):
        twin = trials.twin[endpoint].sample
        control = trials.found[endpoint][against].sample
        p = _by_trial(how.p_value(_flat(twin), _flat(control)), trials)
        false = estimate(p <= block.alpha)
    picks = estimate(_picked(trials, endpoint)) if len(trials.block.arm) > 1 else None
    return OfEndpoint(endpoint, picks, false)


def _picked(trials: Trials, endpoint: str) -> ByTrial:
    """Whether the arm that looks best is the best; a tie is shared."""
    sign = 1.0 if trials.block.endpoint[endpoint].better == "more" else -1.0
    arms = list(trials.block.arm)
    seen = sign * np.stack([figures(trials, endpoint, arm) for arm in arms])
    seen = np.where(np.isnan(seen), -np.inf, seen)
    true = sign * np.stack([trials.expected[endpoint][arm] for arm in arms])
    looks = (seen == seen.max(0)).astype(float)
    looks /= looks.sum(0)
    best = true == true.max(0)
    return np.sum(looks * best[:, :, None], axis=0)


def _together(
    trials: Trials, passed: Mapping[tuple[str, str], np.ndarray]
) -> Iterator[tuple[str, Estimate]]:
    for arm in trials.block.arm:
        own = [each for (_, name), each in passed.items() if name == arm]
        if len(own) > 1:
            yield arm, estimate(np.all(own, axis=0))
