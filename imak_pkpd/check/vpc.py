"""Visual predictive check: percentiles of the data against those of replicates.

`vpc` gives the numbers of one panel (one output, one dose group), with the share of
samples below the limit of quantification; `corrected_vpc` the prediction-corrected
one (Bergstrand et al. 2011, AAPS J 13:143), which may refuse bins and says which.
`time_bins` chooses the bins. Percentiles interpolate linearly (Hyndman-Fan type 7).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from imak_pkpd.check.censoring import Observed, true_range

Values = Float[np.ndarray, " observation"]
Replicates = Float[np.ndarray, "replicate observation"]

PERCENTILES = (0.1, 0.5, 0.9)
"""Outer percentiles that a bin of a dozen samples can still estimate."""

SAMPLES_PER_BIN = 20
"""Samples of a bin whose 10th percentile lies between two values and not outside."""

INTERVAL = (0.025, 0.5, 0.975)
"""Central 95 % of the replicates, and their median."""

LARGEST_CORRECTION = 1e3
"""PRED ratios above this in one bin would draw noise at a thousandfold."""

UNBOUNDED = 1e300
"""Stands for infinity where percentiles are interpolated."""


@dataclass(frozen=True)
class Vpc:
    """The numbers of one panel; axes [percentile, bin] and [bin].

    `observed` is NaN where the percentile lies among censored values; `simulated` has
    the lower end, median and upper end of the replicates' percentiles in front.
    `blq` is the share at or below the limit; NaN where no limit is known.
    `refused` names the bins, by number from 0, where a correction is not defined.
    """

    edges: Float[np.ndarray, " edge"]
    centre: Float[np.ndarray, " bin"]
    count: Int[np.ndarray, " bin"]
    percentiles: tuple[float, ...]
    interval: tuple[float, float, float]
    observed: Float[np.ndarray, "percentile bin"]
    simulated: Float[np.ndarray, "3 percentile bin"]
    blq_observed: Float[np.ndarray, " bin"]
    blq_simulated: Float[np.ndarray, "3 bin"]
    refused: tuple[int, ...] = ()


def time_bins(time: Values, count: int) -> Float[np.ndarray, " edge"]:
    """Edges of at most `count` bins at quantiles of time; ties share a bin.

    Where there are no more distinct times than bins, each time is a bin of its own.
    """
    distinct = np.unique(time)
    if len(distinct) <= count:
        between = (distinct[1:] + distinct[:-1]) / 2
        return np.unique([distinct[0], *between, distinct[-1]])
    # edges are themselves times, so that no bin can be empty
    return np.unique(np.quantile(time, np.linspace(0, 1, count + 1), method="higher"))


def bin_count(subject: Int[np.ndarray, " observation"]) -> int:
    """As many bins as a subject has samples (median), or more where data are pooled.

    At least one per `SAMPLES_PER_BIN` samples; never fewer than 3 or more than 10.
    """
    _, samples = np.unique(subject, return_counts=True)
    pooled = len(subject) // SAMPLES_PER_BIN
    return int(np.clip(max(np.median(samples), pooled), 3, 10))


def bin_of(time: Values, edges: Float[np.ndarray, " edge"]) -> np.ndarray:
    """The bin number of each time; a bin holds its left edge, the last one both."""
    last = max(len(edges) - 2, 0)
    return np.clip(np.searchsorted(edges, time, side="right") - 1, 0, last)


def vpc(
    time: Values,
    observed: Observed,
    lloq: Values,
    replicate: Replicates,
    edges: Float[np.ndarray, " edge"],
    percentiles: tuple[float, ...] = PERCENTILES,
) -> Vpc:
    """Percentiles and BLQ shares of data and replicates in each bin.

    `lloq` per observation, -inf where unknown. Replicates are not censored: where a
    percentile of the data is quantified, it equals that of the uncensored values.
    """
    low, high = true_range(observed)
    return _panel(time, low, high, lloq, replicate, edges, percentiles)


def corrected_vpc(
    time: Values,
    observed: Observed,
    lloq: Values,
    replicate: Replicates,
    pred: Values,
    edges: Float[np.ndarray, " edge"],
    percentiles: tuple[float, ...] = PERCENTILES,
) -> Vpc:
    """The VPC of values times (median PRED of the bin / PRED of the row).

    Equation 3 of Bergstrand et al. with lower bound 0. A bin is refused, NaN and
    listed, when a PRED in it is not positive or differs a thousandfold.
    """
    factor = np.ones_like(pred)
    refused = []
    bins = bin_of(time, edges)
    for number in np.unique(bins):
        rows = bins == number
        inside = pred[rows]
        if not _correctable(inside):
            refused.append(int(number))
            continue
        factor[rows] = np.median(inside) / inside
    low, high = true_range(observed)
    panel = _panel(
        time, low * factor, high * factor, lloq, replicate * factor, edges, percentiles
    )
    panel.observed[:, refused] = np.nan
    panel.simulated[:, :, refused] = np.nan
    return Vpc(**{**vars(panel), "refused": tuple(refused)})


def _correctable(pred: np.ndarray) -> bool:
    """Whether typical predictions of one bin may divide each other."""
    if not np.all(np.isfinite(pred)) or np.min(pred) <= 0:
        return False
    return float(np.max(pred) / np.min(pred)) <= LARGEST_CORRECTION


def _panel(
    time: Values,
    low: Values,
    high: Values,
    lloq: Values,
    replicate: Replicates,
    edges: np.ndarray,
    percentiles: tuple[float, ...],
) -> Vpc:
    bins = bin_of(time, edges)
    rows = [np.flatnonzero(bins == number) for number in range(max(len(edges) - 1, 1))]
    if any(len(inside) == 0 for inside in rows):
        raise ValueError("a time bin has no sample: take the edges from `time_bins`")
    observed = [_known_percentiles(low[r], high[r], percentiles) for r in rows]
    simulated = [
        np.quantile(np.quantile(replicate[:, r], percentiles, axis=1), INTERVAL, axis=1)
        for r in rows
    ]
    blq = [_blq(low[r], high[r], lloq[r], replicate[:, r]) for r in rows]
    return Vpc(
        edges=edges,
        centre=np.array([np.median(time[r]) for r in rows]),
        count=np.array([len(r) for r in rows]),
        percentiles=percentiles,
        interval=INTERVAL,
        observed=np.stack(observed, axis=-1),
        simulated=np.stack(simulated, axis=-1),
        blq_observed=np.array([share for share, _ in blq]),
        blq_simulated=np.stack([interval for _, interval in blq], axis=-1),
    )


def _known_percentiles(
    low: Values, high: Values, percentiles: tuple[float, ...]
) -> np.ndarray:
    """Percentiles that are the same wherever the censored values really are."""
    ends = np.clip([low, high], -UNBOUNDED, UNBOUNDED)
    least, most = np.quantile(ends, percentiles, axis=1).T
    return np.where(least == most, least, np.nan)


def _blq(
    low: Values, high: Values, lloq: Values, replicate: Replicates
) -> tuple[float, np.ndarray]:
    """Share of samples below the limit: observed, and the replicates' interval."""
    if not np.any(np.isfinite(lloq)):
        return np.nan, np.full(3, np.nan)
    share = np.mean(replicate <= lloq, axis=1)
    return float(np.mean(np.isneginf(low))), np.quantile(share, INTERVAL)
