"""`smooth`: the mean of quantities given one reading, by regression splines.

`foretold` is the same for patients to whom it was not fitted. The reading enters by its
ranks, so another unit or scale of the assay changes nothing; readings that are all at
the lowest or the highest value (below a limit, no positive cell) may have a mean of
their own. How many knots is chosen by leaving each patient out, which a linear smoother
does in closed form (Allen 1974, Technometrics 16:125).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import norm, rankdata

KNOTS = (2, 3, 4, 6, 10)  # two make a straight line; beyond ten nothing was gained
TIED = 0.01  # share of patients at one end that has a mean of its own
ALIKE = 1e-9  # columns whose singular value is so small add nothing

Column = Float[np.ndarray, " patient"]
Many = Float[np.ndarray, "patient quantity"]
Terms = Float[np.ndarray, "patient term"]


class Smooth(NamedTuple):
    """The mean of each quantity given the reading, at every patient.

    `terms` are the numbers fitted for each quantity, the intercept among them.
    """

    fitted: Many
    terms: Int[np.ndarray, " quantity"]


class _Fit(NamedTuple):
    """One basis fitted to some patients: the means at all of them, the squared error of
    each quantity in patients left out one by one, and the number of terms."""

    fitted: Many
    error: Float[np.ndarray, " quantity"]
    terms: int


def smooth(reading: Column, quantities: Many) -> Smooth:
    """E[quantity | reading], each with the number of knots that predicts best."""
    everyone = np.ones(len(reading), bool)
    return _best([_fit(each, quantities, everyone) for each in _bases(reading)])


def foretold(
    reading: Column, quantities: Many, folds: Int[np.ndarray, " patient"]
) -> Many:
    """The same for the patients of each fold, from those of all others."""
    bases, made = list(_bases(reading)), np.empty_like(quantities)
    for fold in np.unique(folds):
        others = folds != fold
        found = _best([_fit(each, quantities, others) for each in bases])
        made[~others] = found.fitted[~others]
    return made


def _best(fits: list[_Fit]) -> Smooth:
    best = np.stack([each.error for each in fits]).argmin(0)
    fitted = [fits[k].fitted[:, i] for i, k in enumerate(best)]
    return Smooth(np.stack(fitted, 1), np.array([fits[k].terms for k in best]))


def _fit(columns: Terms, quantities: Many, to: np.ndarray) -> _Fit:
    """Least squares without the columns that follow from others."""
    left, size, right = np.linalg.svd(columns[to], full_matrices=False)
    kept = size > ALIKE * size[0]
    left, inverse = left[:, kept], right[kept].T / size[kept]
    fitted = columns @ (inverse @ (left.T @ quantities[to]))
    leverage = np.minimum((left**2).sum(1), 1.0 - ALIKE)
    left_out = (quantities[to] - fitted[to]) / (1.0 - leverage)[:, None]
    return _Fit(fitted, (left_out**2).sum(0), int(kept.sum()))


def _bases(reading: Column) -> Iterator[Terms]:
    """Splines of more and more knots; of one and the same reading, which says nothing,
    the mean alone."""
    ones = np.ones((len(reading), 1))
    if np.ptp(reading) == 0:
        yield ones
        return
    score = norm.ppf((rankdata(reading) - 0.5) / len(reading))
    ends = [ones, *_tied_ends(reading)]
    for knots in KNOTS:
        yield np.hstack([*ends, natural_spline(score, knots)])


def _tied_ends(reading: Column) -> Iterator[Float[np.ndarray, "patient 1"]]:
    for end in (reading.min(), reading.max()):
        there = reading == end
        if there.mean() >= TIED:
            yield there[:, None].astype(float)


def natural_spline(x: Column, knots: int) -> Terms:
    """Columns of a cubic spline that is straight beyond its first and last knot.

    Knots at even quantiles of the distinct values. Equation (5.4) in Hastie, Tibshirani
    & Friedman (2009), without the intercept.
    """
    places = np.unique(np.quantile(np.unique(x), np.linspace(0.05, 0.95, knots)))
    if len(places) < 3:
        return x[:, None]
    scale = places[-1] - places[0]

    def bent(knot: float) -> Column:
        past = np.maximum(x - knot, 0.0) ** 3 - np.maximum(x - places[-1], 0.0) ** 3
        return past / (places[-1] - knot) / scale**2

    last = bent(places[-2])
    return np.stack([x, *(bent(knot) - last for knot in places[:-2])], 1)
