"""Residuals of the distribution that the likelihood used.

`iwres` is the weighted residual; `normalised_residual` is a standard normal number
for measured and censored rows alike, if the model is right.
"""

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtri
from jaxtyping import Array, Float, Int

from imak_pkpd.observe.distribution import AbstractObserved
from imak_pkpd.observe.likelihood import INTERVAL, LEFT, RIGHT


def iwres(
    distribution: AbstractObserved, value: Float[Array, "..."]
) -> Float[Array, "..."]:
    """(DV - prediction) / scale; of the logarithms for a log-normal error.

    For Student-t errors the scale is sigma, which is smaller than the SD. Of a count or
    a grade it is Pearson's residual (DV - mean) / SD; of a time to an event the
    martingale residual of the row.
    """
    return distribution.standardised(value)


def normalised_residual(
    key: jax.Array,
    distribution: AbstractObserved,
    value: Float[Array, "..."],
    censor: Int[Array, "..."],
    limit: Float[Array, "..."],
) -> Float[Array, "..."]:
    """The standard normal quantile of P(Y <= DV).

    A censored row, and a count, gets a uniform number within the probabilities of its
    limits, from `key` (Dunn & Smyth 1996). Rows that are padding give a number without
    meaning.
    """
    lower = jnp.where(censor == INTERVAL, limit, value)
    before, after = lower - distribution.step, value + distribution.step
    below = jnp.where(censor == LEFT, 0.0, jnp.exp(distribution.log_cdf(before)))
    above = jnp.where(censor == RIGHT, 0.0, jnp.exp(distribution.log_sf(after)))
    not_below = jnp.where(censor == LEFT, 1.0, jnp.exp(distribution.log_sf(lower)))
    not_above = jnp.where(censor == RIGHT, 1.0, jnp.exp(distribution.log_cdf(value)))
    part = jax.random.uniform(key, below.shape, below.dtype)
    p = below + part * (not_above - below)
    q = above + (1 - part) * (not_below - above)
    return jnp.where(p < q, ndtri(p), -ndtri(q))  # each tail by its own probability
