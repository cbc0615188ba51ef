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
from jaxtyping import Array, Float

NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
"""Gauss-Legendre on (-1, 1): exact to 1e-15 where the density has no pole within 1.3
half-widths of the centre and falls by less than exp(40) from end to end."""

FARTHEST = 1e150  # its square is still a float64
STEP = 0.5  # of the midpoint rule for erfc: its error is exp(-(pi / STEP)^2) = 7e-18
MIDPOINTS = STEP * (np.arange(13) + 0.5)  # the first one left out weighs exp(-45)


def bounded(z: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """z, no farther out than where its square overflows."""
    return jnp.clip(z, -FARTHEST, FARTHEST)


def log1mexp(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """log(1 - exp(x)) of x < 0, for an x that is not tiny (its digits are lost)."""
    return jnp.log1p(-jnp.exp(jnp.minimum(x, -jnp.finfo(x.dtype).eps)))


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
        far, near = self.log_cdf(jnp.stack([start, stop]))  # one program, not two
        return near + log1mexp(far - near)


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

        jax.scipy's log_ndtr has no digit left of a log-probability near 0 at z = 8, and
        nine digits of its gradient at z = -20.
        """
        return _log_ndtr(bounded(z))


@jax.custom_jvp
def _log_ndtr(z: Float[Array, "..."]) -> Float[Array, "..."]:
    return _log_ndtr_and_slope(z)[0]


@_log_ndtr.defjvp
def _log_ndtr_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    value, slope = _log_ndtr_and_slope(*primals)
    return value, slope * tangents[0]


def _log_ndtr_and_slope(z: Float[Array, "..."]) -> tuple[Array, Array]:
    """log Phi(z) and phi(z) / Phi(z), without a ratio of two tiny numbers."""
    below = z < 0
    ratio = _scaled_tail(jnp.where(below, -z, z))
    falling = jnp.exp(-(z**2) / 2)
    tail = jnp.where(below, 0.5, falling * ratio)
    value = jnp.where(below, jnp.log(ratio) - z**2 / 2, jnp.log1p(-tail))
    slope = jnp.where(below, 1 / ratio, falling / (1 - tail)) / math.sqrt(2 * math.pi)
    return value, slope


def _scaled_tail(z: Float[Array, "..."]) -> Float[Array, "..."]:
    """e^(z^2 / 2) P(Z > z) of z >= 0: the midpoint rule (Chiarella & Reichel 1968).

    With x = z / sqrt(2) and midpoints t, all terms positive,
    e^(x^2) erfc(x) = (2 h x / pi) sum e^(-t^2) / (t^2 + x^2)
                      + 2 e^(x^2) / (1 + e^(2 pi x / h)), the last for x < pi / h.
    """
    x = z / math.sqrt(2)
    weights = column(STEP / math.pi * np.exp(-(MIDPOINTS**2)), x)
    rule = x * (weights / (column(MIDPOINTS**2, x) + x**2)).sum(axis=0)
    near = jnp.minimum(x, math.pi / STEP)  # from there e^-39
    turn = 2 * math.pi / STEP * near
    return rule + jnp.exp(near**2 - turn) / (1 + jnp.exp(-turn))
