"""log Gamma(x + m) - log Gamma(x) without the difference of two large numbers.

A count's probability is made of such ratios; of large x each logarithm of Gamma has
lost the digits that the ratio needs.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from imak_pkpd.observe.law import column

STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
"""Of log Gamma in odd powers of 1 / x, from NIST DLMF 5.11.1."""
SHIFT = 10  # the first term left out is 0.03 / SHIFT^15 = 3e-17


def log_rising(x: Float[Array, "*n"], m: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """log of x (x + 1) … (x + m - 1), of x > 0 and m >= 0."""
    x, m = jnp.broadcast_arrays(x, m)
    low, high = x + SHIFT, x + SHIFT + m
    leading = (low - 0.5) * jnp.log1p(m / low) + m * (jnp.log(high) - 1)
    steps = column(np.arange(SHIFT), x)
    moved = jnp.log1p(m / (x + steps)).sum(axis=0)
    return leading + _series(high) - _series(low) - moved


def _series(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    total = jnp.zeros_like(x)
    for coefficient in reversed(STIRLING):
        total = total / x**2 + coefficient
    return total / x


def log_choose(n: Float[Array, "*n"], k: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """log of the number of ways to choose k of n."""
    return log_rising(n - k + 1, k) - log_rising(jnp.ones_like(k), k)
