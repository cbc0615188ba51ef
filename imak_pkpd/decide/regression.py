"""`smooth`: the mean of quantities given one reading, by regression splines.

The reading enters by its ranks, so another unit or scale of the assay changes nothing;
readings that are all at the lowest or the highest value (below a limit, no positive
cell) may have a mean of their own. How many knots is chosen by leaving each patient
out, which a linear smoother does in closed form (Allen 1974, Technometrics 16:125).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import norm, rankdata

KNOTS = (2, 3, 4, 6, 10)  # two make a straight line; beyond ten nothing was gained
TIED = 0.01  # share of patients at one end that has a mean of its own
ALIKE = 1e-9  # columns whose singular value is so small add nothing

Column = Float[np.ndarray, " patient"]
Many = Float[np.ndarray, "patient quantity"]


class Smooth(NamedTuple):
    """The mean of each quantity given the reading, at every patient.

    `fitted` to all patients; `left_out` to all others but the patient; `terms` are the
    numbers fitted for each quantity, the intercept among them.
    """

    fitted: Many
    left_out: Many
    terms: Float[np.ndarray, " quantity"]


class _Basis(NamedTuple):
    """Orthonormal columns, and how much each patient decides the own fit."""

    columns: Float[np.ndarray, "patient term"]
    leverage: Column


def smooth(reading: Column, quantities: Many) -> Smooth:
    """E[quantity | reading], each with the number of knots that predicts best."""
    made = [_fitted(basis, quantities) for basis in _bases(reading)]
    errors = np.stack([((quantities - m.left_out) ** 2).sum(0) for m in made])
    best = errors.argmin(0)
    chosen = [
        (made[k].fitted[:, i], made[k].left_out[:, i], made[k].terms[i])
        for i, k in enumerate(best)
    ]
    fitted, left_out, terms = zip(*chosen, strict=True)
    return Smooth(np.stack(fitted, 1), np.stack(left_out, 1), np.array(terms))


def _fitted(basis: _Basis, quantities: Many) -> Smooth:
    fitted = basis.columns @ (basis.columns.T @ quantities)
    kept = np.maximum(1.0 - basis.leverage, ALIKE)[:, None]
    left_out = quantities - (quantities - fitted) / kept
    terms = np.full(quantities.shape[1], float(basis.columns.shape[1]))
    return Smooth(fitted, left_out, terms)


def _bases(reading: Column) -> Iterator[_Basis]:
    """Splines of more and more knots; of one and the same reading, which says nothing,
    the mean alone."""
    ones = np.ones((len(reading), 1))
    if np.ptp(reading) == 0:
        yield _orthonormal(ones)
        return
    score = norm.ppf((rankdata(reading) - 0.5) / len(reading))
    ends = [ones, *_tied_ends(reading)]
    for knots in KNOTS:
        yield _orthonormal(np.hstack([*ends, natural_spline(score, knots)]))


def _tied_ends(reading: Column) -> Iterator[Float[np.ndarray, "patient 1"]]:
    for end in (reading.min(), reading.max()):
        there = reading == end
        if there.mean() >= TIED:
            yield there[:, None].astype(float)


def _orthonormal(columns: Float[np.ndarray, "patient term"]) -> _Basis:
    """Without the columns that follow from others."""
    left, size, _ = np.linalg.svd(columns, full_matrices=False)
    kept = left[:, size > ALIKE * size[0]]
    return _Basis(kept, (kept**2).sum(1))


def natural_spline(x: Column, knots: int) -> Float[np.ndarray, "patient term"]:
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
