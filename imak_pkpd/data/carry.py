"""Gaps of a covariate filled inside a subject, by its declared rule.

| rule | a gap gets |
|---|---|
| constant, locf | the last value before it; at the start the first one after it |
| nocb | the next value after it; at the end the last one before it |
| linear | the straight line in TIME between both; at the ends the nearest value |

A subject without any value keeps NaN: an error that a rule reports.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

Values = Float[np.ndarray, " row"]
Places = Int[np.ndarray, " row"]


def neighbours(known: Bool[np.ndarray, " row"], run: Places) -> tuple[Places, Places]:
    """For each row, the last known row up to it and the next from it on; -1: none.

    `run` numbers the stretches of rows that belong together, in rising order.
    """
    rows = np.arange(len(known))
    before = np.maximum.accumulate(np.where(known, rows, -1))
    after = np.minimum.accumulate(np.where(known, rows, len(known))[::-1])[::-1]
    before = np.where((before >= 0) & (run[before] == run), before, -1)
    after = np.append(rows, -1)[after]
    return before, np.where((after >= 0) & (run[after] == run), after, -1)


def fill_gaps(values: Values, time: Values, run: Places, rule: str) -> Values:
    """The column without gaps."""
    if not len(values):
        return values
    before, after = neighbours(~np.isnan(values), run)
    first, second = (after, before) if rule == "nocb" else (before, after)
    source = np.where(first >= 0, first, second)
    filled = np.where(source >= 0, values[source], np.nan)
    if rule == "linear":
        rows = np.flatnonzero((before >= 0) & (after > before))
        start, end = before[rows], after[rows]
        part = _part(time[rows], time[start], time[end])
        filled[rows] = values[start] + part * (values[end] - values[start])
    return filled


def _part(time: Values, start: Values, end: Values) -> Values:
    """How far `time` is from `start` to `end`, 0 where TIME stands still."""
    span = np.where(end > start, end - start, np.inf)
    return np.clip(np.nan_to_num((time - start) / span), 0.0, 1.0)
