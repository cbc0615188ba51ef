"""Counts: distributions on 0, 1, …, whose log-probabilities are exact in the tails.

`AbstractCount` needs the probability of one count, and by what factor that of the next
differs. P(lower <= K <= upper) is then a sum of positive terms, outwards from the
likeliest of these counts: no digits cancel, however far out they lie. Where it is
nearly 1, it is one minus the same sums of the counts outside.
"""

import abc
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from numpyro.distributions import constraints

from imak_pkpd.observe.distribution import AbstractObserved, limits_of
from imak_pkpd.observe.forward import forwards
from imak_pkpd.observe.law import column

NEGLIGIBLE = 1e-20  # of a sum: its derivatives, larger by the count, are exact too


class AbstractCount(AbstractObserved):
    """A number of cells, reads or droplets."""

    support = constraints.nonnegative_integer
    lowest = 0.0
    step = 1.0

    @property
    @abc.abstractmethod
    def highest(self) -> Float[Array, "..."]:
        """The largest count there can be."""

    @abc.abstractmethod
    def log_mass(self, count: Float[Array, "..."]) -> Float[Array, "..."]:
        """log P(K = count) of a count within the support."""

    @abc.abstractmethod
    def upwards(self, count: Float[Array, "..."]) -> Float[Array, "..."]:
        """P(K = count + 1) / P(K = count), below the highest."""

    @abc.abstractmethod
    def downwards(self, count: Float[Array, "..."]) -> Float[Array, "..."]:
        """P(K = count - 1) / P(K = count), above zero."""

    @abc.abstractmethod
    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Float[Array, "..."]:
        """Independent counts; of numbers without NaN."""

    @property
    def median(self) -> Float[Array, "..."]:
        """The count nearest to the mean, which stands for it."""
        nearest = jnp.minimum(jnp.round(self.mean), self.highest)
        return jax.lax.stop_gradient(nearest)

    def standardised(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        """The Pearson residual (DV - mean) / SD."""
        return (value - self.mean) / jnp.sqrt(self.variance)

    def sample(  # type: ignore[override] # NumPyro also takes no key
        self, key: jax.Array, sample_shape: tuple[int, ...] = ()
    ) -> Float[Array, "..."]:
        # a search among NaN finds nothing
        known = jnp.isfinite(self.mean)
        safe = jax.tree.map(lambda leaf: jnp.where(known, leaf, 0.5), self)
        drawn = safe.draw(key, self.shape(sample_shape))
        return jnp.where(known, drawn, jnp.nan)

    def log_prob(
        self, value: Float[Array, "..."], intermediates: Any = None
    ) -> Float[Array, "..."]:
        inside = (value >= 0) & (value <= self.highest) & (value == jnp.floor(value))
        density = self.log_mass(jnp.where(inside, value, self.median))
        return jnp.where(inside, density, -jnp.inf)

    def log_tail(
        self, value: Float[Array, "..."], side: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        return self.log_interval(*limits_of(value, side))

    def log_interval(
        self, lower: Float[Array, "..."], upper: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """log P(lower <= K <= upper), limits included; -inf where no count lies."""
        least = jnp.ceil(jnp.maximum(lower, 0.0))
        most = jnp.floor(jnp.minimum(upper, self.highest))
        return forwards(_log_between, self, least, most)


def _log_between(
    law: AbstractCount, lower: Float[Array, "*n"], upper: Float[Array, "*n"]
) -> Float[Array, "*n"]:
    """Everything at once, on a leading axis: two sums inside and two outside."""
    some, middle = lower <= upper, law.median
    start = jnp.clip(middle, lower, upper)
    # the counts outside are few only where the middle lies inside
    about = some & (start == middle)
    below, above = about & (lower > 0), about & (upper < law.highest)
    start = jnp.where(some, start, middle)
    left = jnp.where(below, lower - 1, middle)
    right = jnp.where(above, upper + 1, middle)
    near = jnp.stack([start, start, left, right])
    ends = jnp.where(below, 0.0, left), jnp.where(above, law.highest, right)
    far = jnp.stack([lower, upper, *ends])
    down, up, under, over = _sums(law, near, far)
    log_p, log_left, log_right = law.log_mass(near[1:])
    inside = log_p + jnp.log(down + up - 1)
    outside = jnp.where(below, jnp.exp(log_left) * under, 0.0)
    outside += jnp.where(above, jnp.exp(log_right) * over, 0.0)
    likely = about & (outside < 0.5)
    rest = jnp.log1p(-jnp.where(likely, outside, 0.0))
    return jnp.where(some, jnp.where(likely, rest, inside), -jnp.inf)


def _sums(
    law: AbstractCount, start: Float[Array, "4 *n"], stop: Float[Array, "4 *n"]
) -> Float[Array, "4 *n"]:
    """1 + the probabilities from `start` to `stop`, in units of that of `start`.

    Down, up, down, up; where `stop` does not lie ahead there is only the 1.
    """
    step = column(np.array([-1.0, 1.0, -1.0, 1.0]), start[0])

    def ahead(state: tuple[Array, Array, Array]) -> Bool[Array, "4 *n"]:
        at, term, total = state
        return (step * (stop - at) > 0) & (term > NEGLIGIBLE * total)

    def further(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        at, term, total = state
        factor = jnp.where(step > 0, law.upwards(at), law.downwards(at))
        term = jnp.where(ahead(state), term * factor, 0.0)
        return at + step, term, total + term

    one = jnp.ones_like(start)
    begin = (start, one, one)
    return jax.lax.while_loop(lambda state: ahead(state).any(), further, begin)[2]
