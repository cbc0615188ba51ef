"""Normalised prediction distribution errors: N(0, 1) when the model is right.

Comets, Brendel & Mentre 2008 (Comput Methods Programs Biomed 90:154): the vector of
each subject and its replicates are decorrelated by the mean and covariance of the
replicates, and the rank of the data among them is turned into a normal score.
A sample beyond an assay limit is drawn from the censored part of its predictive
distribution (Nguyen et al. 2012, CPT:PSP 1:e15); replicates beyond the limit are
drawn anew in the same way, so that data and replicates stay exchangeable.
A count k becomes a number drawn between k and k + 1, in the data and in each replicate:
ties then have no rank to share (Dunn & Smyth 1996).
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import solve_triangular
from scipy.stats import norm

from imak_pkpd.check.censoring import Codes, Observed, Values, assay_limits, true_range

Replicates = Float[np.ndarray, "replicate observation"]

REPLICATES_PER_SAMPLE = 5
"""Replicates needed per sample of a subject: below it the covariance is mostly noise
(its condition inflates the whitened variance by about 1 + samples / replicates)."""


@dataclass(frozen=True)
class Npde:
    """NPDE per observation (NaN: could not be computed) and the seed of the draws.

    `imputed` marks censored samples, whose score holds one random draw (that of a
    count holds one too);
    `not_run` has the subject's number and, in words, why it could not be computed.
    """

    value: Values
    imputed: Bool[np.ndarray, " observation"]
    seed: int
    not_run: tuple[tuple[int, str], ...] = ()

    def among(self, rows: Bool[np.ndarray, " row"]) -> "Npde":
        """The same as a part of more rows, which have none."""
        value, imputed = np.full(len(rows), np.nan), np.zeros(len(rows), bool)
        value[rows], imputed[rows] = self.value, self.imputed
        return replace(self, value=value, imputed=imputed)


def npde(
    observed: Observed,
    subject: Int[np.ndarray, " observation"],
    output: Codes,
    replicate: Replicates,
    seed: int,
    discrete: Bool[np.ndarray, " output"] | None = None,
) -> Npde:
    """The NPDE of every observation, all outputs of a subject decorrelated together.

    `replicate` has new random effects and new residual errors in every row, without
    censoring; `discrete` says which outputs are counts or grades (none). The same seed
    gives the same numbers.
    """
    random = np.random.default_rng(seed)
    bounds, limits = true_range(observed), assay_limits(observed, output)
    if discrete is not None and discrete.any():
        rows = discrete[output]
        bounds, limits = _between_counts(observed.dv, rows, bounds, limits, random)
        replicate = replicate + rows * random.uniform(size=replicate.shape)
    low, high = bounds
    value = np.full(len(observed.dv), np.nan)
    not_run = []
    for number in np.unique(subject):
        rows = np.flatnonzero(subject == number)
        try:
            value[rows] = _subject_npde(
                (low[rows], high[rows]),
                (limits[0][rows], limits[1][rows]),
                replicate[:, rows],
                random,
            )
        except ValueError as refusal:
            not_run.append((int(number), str(refusal)))
    return Npde(value, observed.censor != 0, seed, tuple(not_run))


def _between_counts(
    dv: Values,
    rows: Bool[np.ndarray, " observation"],
    bounds: tuple[Values, Values],
    limits: tuple[Values, Values],
    random: np.random.Generator,
) -> tuple[tuple[Values, Values], tuple[Values, Values]]:
    """Bounds of the data and assay limits where k lies anywhere from k to k + 1."""
    low, high = bounds
    known = low == high
    drawn = dv + random.uniform(size=len(dv))
    one = rows.astype(float)
    low = np.where(rows & known, drawn, low)
    high = np.where(rows & known, drawn, high + one)
    # a limit lies beyond no value that is measured
    least = np.where(rows & known, np.minimum(limits[0] + 1, dv), limits[0] + one)
    most = np.where(rows & known, np.maximum(limits[1], dv + 1), limits[1])
    return (low, high), (least, most)


def _subject_npde(
    bounds: tuple[Values, Values],
    limits: tuple[Values, Values],
    replicate: Replicates,
    random: np.random.Generator,
) -> Values:
    """NPDE of one subject; NaN where the replicates do not vary."""
    moving = np.ptp(replicate, axis=0) > 0
    result = np.full(replicate.shape[1], np.nan)
    low, high = (bound[moving] for bound in bounds)
    sample = replicate[:, moving]
    if len(sample) < REPLICATES_PER_SAMPLE * sample.shape[1]:
        raise ValueError(
            f"{len(sample)} replicates for {sample.shape[1]} samples: "
            f"{REPLICATES_PER_SAMPLE} per sample are needed"
        )
    if not np.all(np.isfinite(sample)):
        raise ValueError("a replicate is not finite")
    data = _complete(low, high, np.sort(sample, axis=0), random)
    beyond = (limits[0][moving], limits[1][moving])
    result[moving] = _scores(data, _redraw(sample, beyond, random))
    return result


def _complete(
    low: Values, high: Values, ranked: Replicates, random: np.random.Generator
) -> Values:
    """The data, censored ones drawn from the predictive distribution in their range."""
    data = low.copy()
    for column in np.flatnonzero(low != high):
        data[column] = _draw_between(
            ranked[:, column], low[column], high[column], 1, random
        )[0]
    return data


def _redraw(
    sample: Replicates, limits: tuple[Values, Values], random: np.random.Generator
) -> Replicates:
    """Replicates whose values beyond a limit are drawn anew, as for the data."""
    drawn = sample.copy()
    for column, ranked in enumerate(np.sort(sample, axis=0).T):
        low, high = limits[0][column], limits[1][column]
        for rows, ends in (
            (sample[:, column] <= low, (-np.inf, float(low))),
            (sample[:, column] >= high, (float(high), np.inf)),
        ):
            drawn[rows, column] = _draw_between(ranked, *ends, int(rows.sum()), random)
    return drawn


def _draw_between(
    ranked: Float[np.ndarray, " replicate"],
    low: float,
    high: float,
    count: int,
    random: np.random.Generator,
) -> Float[np.ndarray, " draw"]:
    """Draws of the replicates' distribution between two bounds, by inverse cdf.

    Where no replicate lies there, the nearest one (or the bound) stands for it.
    """
    first = int(np.searchsorted(ranked, low))
    last = int(np.searchsorted(ranked, high, "right"))
    if last <= first:
        nearest = ranked[min(first, len(ranked) - 1)]
        return np.full(count, np.clip(nearest, low, high))
    inside = ranked[first:last]
    return np.quantile(inside, random.uniform(size=count))


def _scores(data: Values, sample: Replicates) -> Values:
    """Normal scores of the decorrelated data among the decorrelated replicates.

    Ranks 0 and K become 1/(2K) and 1 - 1/(2K), as in Comets et al. 2008.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # refused below
        mean, scale = sample.mean(axis=0), sample.std(axis=0, ddof=1)
        standard, point = (sample - mean) / scale, (data - mean) / scale
        correlation = np.atleast_2d(np.corrcoef(standard, rowvar=False))
    if not np.isfinite(correlation).all():
        raise ValueError("some of its replicates are too large for a covariance")
    try:
        root = np.linalg.cholesky(correlation)
    except np.linalg.LinAlgError:
        raise ValueError("the covariance of its replicates is singular") from None
    white = solve_triangular(root, standard.T, lower=True)
    target = solve_triangular(root, point, lower=True)
    below = np.mean(white < target[:, None], axis=1)
    half = 0.5 / len(sample)
    return norm.ppf(np.clip(below, half, 1 - half))
