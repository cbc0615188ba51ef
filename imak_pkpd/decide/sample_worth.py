"""What one reading is worth, from simulated patients: arrays in, numbers out.

`variance_reduction`   the share of the variance of a quantity that it takes away
`worth_of_choosing`    the utility gained by choosing among designs once it is known
`perfect_information`  the same if everything about the patient were known: the bound

The regression of Strong, Oakley & Brennan 2015, Med Decis Making 35:570, of each
utility on the reading; a patient's design is chosen by a fit to other blocks of
patients, so that the noise of the regression is no gain.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from imak_pkpd.decide.regression import foretold, smooth

FOLDS = 5  # of blocks: fitted to four fifths of the patients

Column = Float[np.ndarray, " patient"]
Blocks = Int[np.ndarray, " patient"]
Utilities = Float[np.ndarray, "patient design"]


class Estimate(NamedTuple):
    """A number and its Monte Carlo error (one standard error)."""

    value: float
    se: float

    def widened(self, by: float) -> "Estimate":
        """The same with a larger error."""
        return self._replace(se=self.se * by)


NOTHING = Estimate(0.0, 0.0)
UNKNOWN = Estimate(float("nan"), float("nan"))


def variance_reduction(
    quantities: Float[np.ndarray, "patient quantity"], reading: Column, blocks: Blocks
) -> list[Estimate]:
    """1 - E[Var(quantity | reading)] / Var(quantity), of each quantity.

    The adjusted R^2 of the regression: a little below 0 where nothing is learnt.
    `blocks` are patients whose draws are neighbours: their means spread as the error.
    Unknown for a quantity that is the same in all patients.
    """
    found = smooth(reading, quantities)
    many = len(reading)
    centred = (quantities - quantities.mean(0)) ** 2
    left = (quantities - found.fitted) ** 2 * (many - 1) / (many - found.terms)
    return [
        _reduced(left[:, i], centred[:, i], blocks, int(found.terms[i]))
        for i in range(quantities.shape[1])
    ]


def _reduced(left: Column, centred: Column, blocks: Blocks, terms: int) -> Estimate:
    """By the influence of each patient on a ratio of means (delta method).

    Where nothing is learnt that is nearly none; R^2 then spreads as chi^2(terms - 1)
    over the number of patients.
    """
    whole = float(centred.mean())
    if whole <= 0.0:
        return UNKNOWN
    ratio = float(left.mean()) / whole
    influence = standard_error((left - ratio * centred) / whole, blocks)
    by_chance = np.sqrt(2.0 * (terms - 1)) / len(left)
    return Estimate(1.0 - ratio, float(np.hypot(influence, by_chance)))


def worth_of_choosing(
    utilities: Utilities, against: Column, reading: Column, blocks: Blocks
) -> Estimate:
    """E[max over designs of E[utility | reading]] - E[against].

    `against` is the utility of the design chosen without the reading. The largest value
    that is missed by an imperfect regression is missing here too: not below the truth
    by more than that, not above it but for `se`.
    """
    gain = utilities - against[:, None]
    if gain.shape[1] == 1:
        return mean_of(gain[:, 0], blocks)
    chosen = foretold(reading, gain, blocks % FOLDS).argmax(1)
    return mean_of(np.take_along_axis(gain, chosen[:, None], 1)[:, 0], blocks)


def perfect_information(
    utilities: Utilities, against: Column, blocks: Blocks
) -> Estimate:
    """E[max over designs of the utility] - E[against]."""
    return mean_of(utilities.max(1) - against, blocks)


def mean_of(values: Column, blocks: Blocks) -> Estimate:
    return Estimate(float(values.mean()), standard_error(values, blocks))


def standard_error(values: Column, blocks: Blocks) -> float:
    """That of the mean of patients who are alike inside their blocks."""
    _, where = np.unique(blocks, return_inverse=True)
    totals = np.bincount(where, values - values.mean())
    many = len(totals)
    return float(np.sqrt(many / (many - 1) * (totals**2).sum()) / len(values))
