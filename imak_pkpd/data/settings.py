"""Which covariate values hold between the records of one subject.

A `setting` is one distinct vector of covariate values; individual parameters are
computed once per setting. The carrying rules, for the interval from record k-1 to k:

| rule | value |
|---|---|
| constant | the subject's only value |
| locf | of the last record at the start (last observation carried forward) |
| nocb | of the first record at the end (next observation carried backward, NONMEM) |
| linear | the straight line between the two |

Before the first record its own values hold, after the last record the last ones.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Settings(NamedTuple):
    """Distinct values, and which of them holds in each interval and at each row.

    `value` [setting, column]; `start` (clock), `setting`, `base` and `slope` per
    interval, the first from -inf; `row` per record.
    """

    value: np.ndarray
    start: np.ndarray
    setting: np.ndarray
    base: np.ndarray
    slope: np.ndarray
    row: np.ndarray

    def at(self, clock: float) -> int:
        """The setting of a dose at `clock`: of the interval that it ends or is in."""
        return int(self.setting[np.searchsorted(self.start, clock, "left") - 1])


def subject_settings(
    clock: np.ndarray, values: np.ndarray, rules: Sequence[str]
) -> Settings:
    """Settings of one subject from its records, `values` [record, column]."""
    times, first = np.unique(clock, return_index=True)
    last = len(clock) - 1 - np.unique(clock[::-1], return_index=True)[1]
    before, after = values[last], values[first]
    held = _held_values(rules, before, after)
    distinct, place = np.unique(
        np.concatenate([held, _row_values(values, rules)]), axis=0, return_inverse=True
    )
    place = place.reshape(-1)
    base, slope, start = _straight_lines(times, before, after, rules)
    setting, row = place[: len(held)], place[len(held) :]
    keep = _changes(setting, slope)
    return Settings(distinct, start[keep], setting[keep], base[keep], slope[keep], row)


def _held_values(
    rules: Sequence[str], before: np.ndarray, after: np.ndarray
) -> np.ndarray:
    """Values [interval, column] in (-inf, t1], (t1, t2], …, (tm, inf)."""
    held = np.empty((len(before) + 1, len(rules)))
    for column, rule in enumerate(rules):
        start = np.concatenate([after[:1, column], before[:, column]])
        end = np.concatenate([after[:, column], before[-1:, column]])
        held[:, column] = end if rule == "nocb" else start
        if rule == "linear":
            held[:, column] = after[0, column]
    return held


def _row_values(values: np.ndarray, rules: Sequence[str]) -> np.ndarray:
    """A row's own values; a linear column is left out of the settings."""
    own = values.copy()
    linear = np.array([rule == "linear" for rule in rules], bool)
    own[:, linear] = values[:1, linear]
    return own


def _straight_lines(
    times: np.ndarray, before: np.ndarray, after: np.ndarray, rules: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value at the start, slope, and start of each interval."""
    start = np.concatenate([[-np.inf], times])
    base = np.concatenate([after[:1], before])
    slope = np.zeros_like(base)
    slope[1:-1] = (after[1:] - before[:-1]) / np.diff(times)[:, None]
    linear = np.array([rule == "linear" for rule in rules], bool)
    return base, np.where(linear, slope, 0.0), start


def _changes(setting: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Intervals that differ from the one before; without slopes, the others merge."""
    if slope.any():
        return np.ones(len(setting), bool)
    return np.concatenate([[True], setting[1:] != setting[:-1]])
