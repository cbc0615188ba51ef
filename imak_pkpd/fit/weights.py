"""What weighted draws are worth and say, and equally weighted draws made of them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logsumexp

Column = Float[np.ndarray, " draw"]

BISECTIONS = 50  # of a power


def effective(log_weight: Column) -> float:
    """(sum of weights)² / sum of squared weights (Kish 1965)."""
    return float(np.exp(2 * logsumexp(log_weight) - logsumexp(2 * log_weight)))


def raised(log_likelihood: Column, power: float) -> Column:
    """power · ln L; a draw that could not be solved has none."""
    return np.where(np.isfinite(log_likelihood), power * log_likelihood, -np.inf)


def next_power(
    log_likelihood: Column,
    enough: float,
    power: float = 0.0,
    log_weight: Column | float = 0.0,
) -> float:
    """The largest power of the likelihood, at most 1, that leaves `enough` effective.

    Of draws that have weights for the likelihood to `power` already.
    """

    def left(further: float) -> float:
        return effective(raised(log_likelihood, further - power) + log_weight)

    if left(1.0) >= enough:
        return 1.0
    low, high = power, 1.0
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if left(middle) >= enough else (low, middle)
    return low if low > power else high


def evenly_drawn(
    log_weight: Column, draws: int, rng: np.random.Generator
) -> Int[np.ndarray, " draw"]:
    """`draws` places in order, each as often as its weight says."""
    ends = np.cumsum(np.exp(log_weight - logsumexp(log_weight)))
    ticks = (np.arange(draws) + rng.random()) / draws * ends[-1]
    return np.searchsorted(ends, ticks, side="right").clip(max=len(ends) - 1)


def weighted_moments(values: Column, log_weight: Column) -> tuple[float, float]:
    """Mean and SD by normalised weights; a draw without weight may be no number."""
    some, weight = _weighty(values, log_weight)
    mean = float(weight @ some)
    return mean, float(np.sqrt(weight @ (some - mean) ** 2))


def weighted_error(values: Column, log_weight: Column, mean: float) -> float:
    """SE of a mean: √(sum of weight² (value - mean)²), the delta method for a ratio."""
    some, weight = _weighty(values, log_weight)
    return float(np.sqrt(weight**2 @ (some - mean) ** 2))


def weighted_quantiles(
    values: Column, log_weight: Column, at: Sequence[float]
) -> tuple[float, ...]:
    """Quantiles: each draw stands in the middle of its weight."""
    some, weight = _weighty(values, log_weight)
    order = np.argsort(some)
    middle = np.cumsum(weight[order]) - weight[order] / 2
    return tuple(float(one) for one in np.interp(at, middle, some[order]))


def _weighty(values: Column, log_weight: Column) -> tuple[Column, Column]:
    """Values with weight, and the weights."""
    weight = np.exp(log_weight)
    return values[weight > 0], weight[weight > 0]
