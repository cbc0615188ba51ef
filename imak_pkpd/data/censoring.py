"""Which observations are censored, and by what limit: one rule for every convention.

CENS and LIMIT are Monolix's and nlmixr2's, LLOQ and BLQ are NONMEM's and ADPPK's
(ALLOQ, BLQFL). LLOQ is the row's, else the `lloq` of the row's output in the fit.

| CENS | BLQ | DV | LLOQ | LIMIT | CENSOR | DV becomes | LIMIT becomes |
|---|---|---|---|---|---|---|---|
| 0 or . | 0 or . | number | any | any | 0 | DV | . |
| no CENS and no BLQ column | | DV < LLOQ | number | . | 1 | LLOQ | . |
| no CENS and no BLQ column | | DV >= LLOQ | number | any | 0 | DV | . |
| 1 | any | DV | . | . | 1 | DV | . |
| 1 | any | DV <= LLOQ, or . | number | . | 1 | LLOQ | . |
| 1 | any | DV > LLOQ | number | any | error LLOQ-SCALE | | |
| 1 | any | . | . | number | 1 | LIMIT | . |
| 1 | any | . | . | . | error CENS-LIMIT | | |
| 0 or . | 1 | any | number | . | 1 | LLOQ | . |
| 0 or . | 1 | any | . | any | error CENS-LIMIT | | |
| left-censored at b, as above | | | | LIMIT < b | 2 | b | LIMIT |
| -1 | any | DV | any | . | -1 | DV | . |
| -1 | any | DV | any | LIMIT > DV | 2 | LIMIT | DV |
| -1 | any | . | any | LIMIT | -1 | LIMIT | . |
| -1 | any | . | any | . | error CENS-LIMIT | | |

An interval whose lower end is not above the other is error LIMIT-ORDER. Under a
log-normal error an interval from 0 or less is left-censored: nothing lies below 0.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

Values = Float[np.ndarray, " row"]
Flags = Bool[np.ndarray, " row"]

NONE, LEFT, RIGHT, INTERVAL = 0.0, 1.0, -1.0, 2.0
"""The codes of CENSOR."""


class CensoringItems(NamedTuple):
    """The columns that say what is censored, NaN where a cell is missing.

    `explicit`: the file has a CENS or BLQ column; `positive`: the output's error is
    log-normal.
    """

    dv: Values
    cens: Values
    blq: Values
    limit: Values
    lloq: Values
    explicit: bool
    positive: Flags


class Censored(NamedTuple):
    """`censor` per row; `value`, the limit where censored, the upper one of an interval
    (NaN: there is none); `lower`, of an interval, else NaN."""

    censor: Values
    value: Values
    lower: Values


def censor(items: CensoringItems) -> Censored:
    """The table above, applied to every row."""
    left, right = left_rows(items), items.cens == -1
    bound = np.where(left, _left_bound(items), items.dv)
    alone = np.isnan(bound) & ((items.cens == 1) | right)
    bound = np.where(alone, items.limit, bound)
    second = np.where((left | right) & ~alone, items.limit, np.nan)
    second = np.where(left & items.positive & (second <= 0), np.nan, second)
    interval = ~np.isnan(second) & ~np.isnan(bound)
    upper = np.where(interval & right, second, bound)
    lower = np.where(interval, np.where(right, bound, second), np.nan)
    code = np.where(left, LEFT, np.where(right, RIGHT, NONE))
    return Censored(np.where(interval, INTERVAL, code), upper, lower)


def left_rows(items: CensoringItems) -> Flags:
    """The rows whose DV is only known to lie below a limit."""
    if items.explicit:
        return (items.cens == 1) | ((items.blq == 1) & (items.cens != -1))
    return items.dv < items.lloq


def _left_bound(items: CensoringItems) -> Values:
    """LLOQ where there is one; else DV, which holds the limit where CENS is 1."""
    own = np.where(items.cens == 1, items.dv, np.nan)
    return np.where(np.isnan(items.lloq), own, items.lloq)
