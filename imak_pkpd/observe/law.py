"""Standard laws of a residual (location 0, scale 1): probabilities exact in the tails.

`AbstractLaw`  density, log-CDF and log-probability of an interval.
`Gaussian`     the standard normal law; Student's t is in `student.py`.
A law is symmetric, so the log-survival at z is `log_cdf(-z)`. Every function has
finite derivatives for every finite or infinite argument.
"""

import abc
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from jaxtyping import Array, Float

NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
"""Gauss-Legendre on (-1, 1): exact to 1e-15 where the density has no pole within 1.3
half-widths of the centre and falls by less than exp(40) from end to end."""

FARTHEST = 1e150  # its square is still a float64
FAR = -20.0  # below: a series of log Phi; the first term left out is 3e-19 of it
LAST_ODD = 19  # its ten terms: 1 - t (1 - 3 t (1 - 5 t (... (1 - 19 t))))


def bounded(z: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """z, no farther out than where its square overflows."""
    return jnp.clip(z, -FARTHEST, FARTHEST)


def log1mexp(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """log(1 - exp(x)) of x <= 0; at 0 it is log of the smallest normal number."""
    x = jnp.minimum(x, -jnp.finfo(x.dtype).tiny)
    near = x > -math.log(2)  # Maechler (2012): where each form keeps all digits
    return jnp.where(
        near,
        jnp.log(-jnp.expm1(jnp.where(near, x, -1.0))),
        jnp.log1p(-jnp.exp(jnp.where(near, -1.0, x))),
    )


def column(values: np.ndarray, like: Float[Array, "*n"]) -> Float[Array, "node ..."]:
    """Nodes or weights of a quadrature on a new leading axis, in `like`'s precision."""
    return jnp.asarray(values, like.dtype).reshape(-1, *(1 for _ in like.shape))


class AbstractLaw(eqx.Module):
    """A symmetric law of a standardised residual z = (DV - prediction) / scale."""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape of the law's own parameters."""

    @property
    @abc.abstractmethod
    def variance(self) -> Float[Array, "..."]:
        """The variance of z."""

    @abc.abstractmethod
    def sample(self, key: jax.Array, shape: tuple[int, ...]) -> Float[Array, "..."]:
        """Independent draws of z."""

    @abc.abstractmethod
    def log_pdf(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """The log-density at z."""

    @abc.abstractmethod
    def log_cdf(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """log P(Z <= z)."""

    def log_interval(
        self, start: Float[Array, "*n"], width: Float[Array, "*n"]
    ) -> Float[Array, "*n"]:
        """log P(start <= Z <= start + width); -inf with zero gradient for width <= 0.

        A narrow interval is integrated by quadrature, a wide one is a difference of
        two log-CDFs, both mirrored to the lower tail: no digits cancel in either.
        """
        some = width > 0
        start, width = bounded(start), jnp.where(some, width, 1.0)
        upper = start + width / 2 > 0
        start = jnp.where(upper, -(start + width), start)
        # a density falls by at most exp(|z| width) over the interval: see NODES
        narrow = width * jnp.maximum(1.0, jnp.abs(start) / 40) <= 1
        inside = jnp.where(
            narrow,
            self._integral(start, jnp.where(narrow, width, 1.0)),
            self._difference(jnp.where(narrow, -1.0, start), start + width),
        )
        return jnp.where(some, inside, -jnp.inf)

    def _integral(
        self, start: Float[Array, "*n"], width: Float[Array, "*n"]
    ) -> Float[Array, "*n"]:
        z = start + width * column((NODES + 1) / 2, width)
        log_weights = column(np.log(WEIGHTS / 2), width)
        mean = jax.nn.logsumexp(self.log_pdf(z) + log_weights, axis=0)
        return jnp.log(width) + mean

    def _difference(
        self, start: Float[Array, "*n"], stop: Float[Array, "*n"]
    ) -> Float[Array, "*n"]:
        near = self.log_cdf(stop)
        return near + log1mexp(self.log_cdf(start) - near)


class Gaussian(AbstractLaw):
    """The standard normal law."""

    @property
    def shape(self) -> tuple[int, ...]:
        return ()

    @property
    def variance(self) -> Float[Array, ""]:
        return jnp.ones(())

    def sample(self, key: jax.Array, shape: tuple[int, ...]) -> Float[Array, "..."]:
        return jax.random.normal(key, shape)

    def log_pdf(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        return -0.5 * z**2 - 0.5 * math.log(2 * math.pi)

    def log_cdf(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """log P(Z <= z), to 1e-13 of itself at any z.

        jax.scipy's log_ndtr has lost all digits of a log-probability near 0 at z = 8,
        and nine digits of its gradient are right at z = -20.
        """
        z = bounded(z)
        far, upper = z < FAR, z > 0
        middle = jnp.where(far | upper, 0.0, z)
        below = jnp.where(
            far, self._far_tail(jnp.where(far, z, FAR)), jnp.log(ndtr(middle))
        )
        return jnp.where(upper, jnp.log1p(-ndtr(-jnp.where(upper, z, 0.0))), below)

    def _far_tail(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """The asymptotic series of log Phi, Abramowitz & Stegun 26.2.12."""
        t, series = 1 / z**2, jnp.ones_like(z)
        for odd in range(LAST_ODD, 0, -2):
            series = 1 - odd * t * series
        return self.log_pdf(z) - jnp.log(-z) + jnp.log(series)
