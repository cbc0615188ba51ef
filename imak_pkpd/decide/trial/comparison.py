"""Observed figures of arms and one-sided tests, of many trials at once.

`Proportions`  Fisher's exact test (Fisher 1935); against a number the binomial test
`Means`        Welch's test (Welch 1947); against a number Student's
`Survival`     mean time up to a limit by Kaplan & Meier (Royston & Parmar 2013,
               10.1186/1471-2288-13-152); log-rank test (Mantel 1966)
Axes are [trial, patient]; NaN is a patient who does not count. A trial without anybody
to compare has p = 1.
"""

import abc
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from imak_pkpd.fit.arm import Kind

Trials = Float[np.ndarray, " trial"]


class Sample(NamedTuple):
    """One endpoint of one arm."""

    value: Float[np.ndarray, "trial patient"]
    event: Bool[np.ndarray, "trial patient"]


@dataclass(frozen=True)
class AbstractComparison(abc.ABC):
    """`more`: whether larger figures are better."""

    more: bool

    @abc.abstractmethod
    def figure(self, own: Sample) -> Trials:
        """What the trial reports of an arm; NaN where nobody counts."""

    @abc.abstractmethod
    def p_value(self, own: Sample, other: Sample) -> Trials:
        """One-sided, of "no better than the other arm"."""

    @abc.abstractmethod
    def p_against(self, own: Sample, number: float) -> Trials:
        """One-sided, of "no better than the number"."""

    @property
    def side(self) -> str:
        return "greater" if self.more else "less"


class Proportions(AbstractComparison):
    """Of those who count, the share of yes."""

    def figure(self, own: Sample) -> Trials:
        yes, many = _counts(own)
        return np.where(many > 0, yes / np.maximum(many, 1), np.nan)

    def p_value(self, own: Sample, other: Sample) -> Trials:
        yes, many = _counts(own)
        yes_there, many_there = _counts(other)
        anybody = (many > 0) & (many_there > 0)
        among = stats.hypergeom(
            np.where(anybody, many + many_there, 2), yes + yes_there, many
        )
        p = among.sf(yes - 1) if self.more else among.cdf(yes)
        return np.where(anybody, p, 1.0)

    def p_against(self, own: Sample, number: float) -> Trials:
        yes, many = _counts(own)
        among = stats.binom(many, number)
        return among.sf(yes - 1) if self.more else among.cdf(yes)


class Means(AbstractComparison):
    """Of those who count, the mean."""

    def figure(self, own: Sample) -> Trials:
        return _moments(own)[0]

    def p_value(self, own: Sample, other: Sample) -> Trials:
        here, there = _moments(own), _moments(other)
        with np.errstate(invalid="ignore", divide="ignore"):  # nobody differs: p = 1
            found = stats.ttest_ind_from_stats(
                *here, *there, equal_var=False, alternative=self.side
            ).pvalue
        return np.where(np.isnan(found), 1.0, found)

    def p_against(self, own: Sample, number: float) -> Trials:
        mean, sd, many = _moments(own)
        with np.errstate(invalid="ignore", divide="ignore"):
            t = (mean - number) * np.sqrt(many) / sd
        tail = stats.t.sf(t if self.more else -t, np.maximum(many - 1, 1))
        return np.where(np.isnan(tail), 1.0, tail)


@dataclass(frozen=True)
class Survival(AbstractComparison):
    """The mean time to the event, up to `at`."""

    at: float

    def figure(self, own: Sample) -> Trials:
        """The area under Kaplan and Meier's curve, which stays where it was last."""
        order = np.lexsort((~own.event, np.nan_to_num(own.value, nan=np.inf)), axis=-1)
        value = np.take_along_axis(own.value, order, -1)
        counts = ~np.isnan(value)
        time = np.where(counts, value, self.at)
        event = np.take_along_axis(own.event, order, -1) & counts
        many = counts.sum(-1, keepdims=True)
        at_risk = np.maximum(many - np.arange(value.shape[-1]), 1)
        after = np.cumprod(1.0 - event / at_risk, axis=-1)
        before = np.concatenate([np.ones_like(after[:, :1]), after[:, :-1]], -1)
        edge = np.concatenate([np.zeros_like(time[:, :1]), time], -1)
        area = np.sum(before * np.diff(edge), -1)
        area += after[:, -1] * (self.at - time[:, -1])
        return np.where(many[:, 0] > 0, area, np.nan)

    def p_value(self, own: Sample, other: Sample) -> Trials:
        pairs = zip(*own, *other, strict=True)
        return np.array([self._log_rank(*each) for each in pairs])

    def _log_rank(
        self,
        value: np.ndarray,
        event: np.ndarray,
        value_there: np.ndarray,
        event_there: np.ndarray,
    ) -> float:
        here, there = _censored(value, event), _censored(value_there, event_there)
        if not (event.any() or event_there.any()) or None in (here, there):
            return 1.0
        side = "less" if self.more else "greater"  # of the rate of events
        with np.errstate(invalid="ignore", divide="ignore"):
            found = float(stats.logrank(here, there, alternative=side).pvalue)
        return 1.0 if np.isnan(found) else found

    def p_against(self, own: Sample, number: float) -> Trials:
        raise AssertionError(f"a time against {number}")  # `check_fit` refuses it


def comparison_of(kind: Kind, more: bool, at: float) -> AbstractComparison:
    """How arms are compared in an endpoint of this kind, seen at a time."""
    match kind:
        case Kind.yes_no:
            return Proportions(more)
        case Kind.number:
            return Means(more)
        case Kind.time:
            return Survival(more, at)


def _counts(own: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Yes, and all who count."""
    return np.nansum(own.value, -1).astype(int), np.sum(~np.isnan(own.value), -1)


def _moments(own: Sample) -> tuple[Trials, Trials, np.ndarray]:
    """Mean, standard deviation and number of those who count."""
    counts = ~np.isnan(own.value)
    many = counts.sum(-1)
    value = np.where(counts, own.value, 0.0)
    mean = np.where(many > 0, value.sum(-1) / np.maximum(many, 1), np.nan)
    away = np.where(counts, own.value - mean[:, None], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.where(many > 1, np.sqrt((away**2).sum(-1) / (many - 1)), np.nan)
    return mean, sd, many


def _censored(value: np.ndarray, event: np.ndarray) -> stats.CensoredData | None:
    counts = ~np.isnan(value)
    if not counts.any():
        return None
    return stats.CensoredData.right_censored(value[counts], ~event[counts])
