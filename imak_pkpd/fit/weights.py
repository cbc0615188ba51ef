"""What weighted draws are worth, and equally weighted draws made of them."""

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logsumexp

Column = Float[np.ndarray, " draw"]


def effective(log_weight: Column) -> float:
    """(sum of weights)² / sum of squared weights (Kish 1965)."""
    return float(np.exp(2 * logsumexp(log_weight) - logsumexp(2 * log_weight)))


def evenly_drawn(
    log_weight: Column, draws: int, rng: np.random.Generator
) -> Int[np.ndarray, " draw"]:
    """`draws` places in order, each as often as its weight says."""
    ends = np.cumsum(np.exp(log_weight - logsumexp(log_weight)))
    ticks = (np.arange(draws) + rng.random()) / draws * ends[-1]
    return np.searchsorted(ends, ticks, side="right").clip(max=len(ends) - 1)
