"""What an observation says about the true value: a number or an interval.

| censor | meaning              | true value lies in |
|--------|----------------------|--------------------|
| 0      | quantified           | [dv, dv]           |
| 1      | below the limit (BLQ)| (-inf, dv]         |
| -1     | above the limit      | [dv, inf)          |
| 2      | between two limits   | [limit, dv]        |
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

Values = Float[np.ndarray, " observation"]
Codes = Int[np.ndarray, " observation"]


class Observed(NamedTuple):
    """Observations of one or more outputs, as in `observed_data` of the run."""

    dv: Values
    limit: Values
    censor: Codes

    def at(self, rows: np.ndarray) -> "Observed":
        """The observations of some rows (mask or indices)."""
        return Observed(self.dv[rows], self.limit[rows], self.censor[rows])


def true_range(observed: Observed) -> tuple[Values, Values]:
    """Lower and upper bound of the true values; equal where quantified."""
    dv, limit, censor = observed
    low = np.where(censor == 1, -np.inf, np.where(censor == 2, limit, dv))
    return low, np.where(censor == -1, np.inf, dv)


def assay_limits(observed: Observed, output: Codes) -> tuple[Values, Values]:
    """Lower and upper assay limit of every row; infinite where none is known.

    A censored row carries its own. A quantified row has that of its output, the one
    most often met; it cannot be beyond the value itself.
    """
    low, high = np.full_like(observed.dv, -np.inf), np.full_like(observed.dv, np.inf)
    for each in np.unique(output):
        rows = output == each
        some = observed.at(rows)
        low[rows] = np.minimum(_usual(some, 1, -np.inf), some.dv)
        high[rows] = np.maximum(_usual(some, -1, np.inf), some.dv)
    low = np.where(observed.censor == 1, observed.dv, low)
    return low, np.where(observed.censor == -1, observed.dv, high)


def _usual(observed: Observed, code: int, none: float) -> float:
    """The limit that most rows with this censoring code carry."""
    values, counts = np.unique(observed.dv[observed.censor == code], return_counts=True)
    return float(values[counts.argmax()]) if len(values) else none
