"""Student's t law, exact in the tails, with gradients for traced degrees of freedom.

No incomplete beta function of JAX has a gradient with respect to df. Here the CDF is
two quadratures of positive integrands, so its derivatives are as accurate as itself:
within CENTRE of 0 the density is integrated from 0, beyond it the tail
    P(Z > x) = C(a) e^(-a L) int_0^inf e^-r (-a expm1(-(r / a + L)))^(-1/2) dr,
with a = df / 2 and L = log1p(x^2 / df), from the incomplete beta integral with
u = y e^(-r / a); it stays in range for every df and tends to Mills' ratio as df grows.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from imak_pkpd.observe.law import NODES, WEIGHTS, AbstractLaw, bounded, column

CENTRE = (
    3.0  # beyond: the tail's integrand is smooth; within: 1/2 - mass keeps 13 digits
)
TAIL_NODES, TAIL_WEIGHTS = np.polynomial.laguerre.laggauss(64)
"""At CENTRE and beyond: exact to 1e-14 for df >= 1, 1e-12 for df = 0.5."""

STIRLING = (-1 / 8, 1 / 192, -1 / 640, 17 / 14336, -31 / 18432, 691 / 180224)
"""Of log Gamma(a + 1/2) - log Gamma(a) - log(a) / 2 in odd powers of 1 / a: the k-th is
-(2 - 2^-k) B_{k+1} / (k (k + 1)), from NIST DLMF 5.11.8."""
SHIFT = 10  # the first term left out is 0.013 / SHIFT^13 = 1e-15


def log_gamma_ratio(a: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """log Gamma(a + 1/2) - log Gamma(a) - log(a) / 2, to 1e-14 of 1 / a for large a."""
    shifted = a + SHIFT
    series = jnp.zeros_like(a)
    for coefficient in reversed(STIRLING):
        series = series / shifted**2 + coefficient
    steps = a + column(np.arange(SHIFT), a)
    return (
        series / shifted
        + 0.5 * jnp.log1p(SHIFT / a)
        - jnp.log1p(0.5 / steps).sum(axis=0)
    )


class Student(AbstractLaw):
    """Student's t law with `df` degrees of freedom, fixed or traced."""

    df: Float[Array, "..."]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.df.shape

    @property
    def variance(self) -> Float[Array, "..."]:
        """df / (df - 2), infinite up to df = 2."""
        finite = self.df > 2
        safe = jnp.where(finite, self.df, 3.0)
        return jnp.where(finite, safe / (safe - 2), jnp.inf)

    def sample(self, key: jax.Array, shape: tuple[int, ...]) -> Float[Array, "..."]:
        return jax.random.t(key, self.df, shape)

    def log_pdf(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        a = self.df / 2
        constant = log_gamma_ratio(a) - 0.5 * math.log(2 * math.pi)
        return constant - (a + 0.5) * jnp.log1p(z**2 / self.df)

    def log_cdf(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        z = jnp.broadcast_arrays(bounded(z), self.df)[0]
        outside = jnp.abs(z) > CENTRE
        tail = self._log_tail(jnp.where(outside, jnp.abs(z), CENTRE))
        centre = jnp.log(0.5 + self._mass(jnp.where(outside, 0.0, z)))
        return jnp.where(
            outside, jnp.where(z > 0, jnp.log1p(-jnp.exp(tail)), tail), centre
        )

    def _mass(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """P(0 < Z < z), negative for z < 0."""
        density = jnp.exp(self.log_pdf(z * column((NODES + 1) / 2, z)))
        return z * (density * column(WEIGHTS / 2, z)).sum(axis=0)

    def _log_tail(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """log P(Z > x) of x >= CENTRE."""
        a = self.df / 2
        L = jnp.log1p(x**2 / self.df)
        spread = -a * jnp.expm1(-(column(TAIL_NODES, x) / a + L))
        integral = (column(TAIL_WEIGHTS, x) / jnp.sqrt(spread)).sum(axis=0)
        constant = log_gamma_ratio(a) - math.log(2 * math.sqrt(math.pi))
        return constant - a * L + jnp.log(integral)
