"""An assay that never reports a negative number: Beal's M4 (2001).

`above_zero(distribution)` is the distribution on condition that DV >= 0. It changes
the density of every row, measured or censored, and the simulated DV.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpyro.distributions import constraints

from imak_pkpd.observe.distribution import AbstractObserved
from imak_pkpd.observe.law import log1mexp

LOG_RANGE = (-700.0, 700.0)  # a float64 lies in exp of it
HALVINGS = 64  # 1400 / 2^64 = 8e-17: the last digit of a float64


def above_zero(distribution: AbstractObserved) -> AbstractObserved:
    """The distribution given DV >= 0; a positive one (log-normal) is itself."""
    positive = distribution.lowest >= 0
    return distribution if positive else TruncatedAtZero(distribution)


class TruncatedAtZero(AbstractObserved):
    """`whole` on condition that DV >= 0."""

    arg_constraints: dict[str, Any] = {}
    pytree_data_fields = ("whole",)
    support = constraints.nonnegative
    lowest = 0.0
    step = 0.0

    def __init__(
        self, whole: AbstractObserved, *, validate_args: bool | None = None
    ) -> None:
        self.whole = whole
        super().__init__(batch_shape=whole.batch_shape, validate_args=validate_args)

    @property
    def _zero(self) -> Float[Array, "..."]:
        return jnp.zeros(self.batch_shape)

    @property
    def log_mass(self) -> Float[Array, "..."]:
        """log P(DV >= 0) of the whole distribution."""
        return self.whole.log_sf(self._zero)

    @property
    def median(self) -> Float[Array, "..."]:
        return self.quantile_of_log_sf(jnp.log(0.5))

    def quantile_of_log_sf(self, log_sf: Float[Array, "..."]) -> Float[Array, "..."]:
        """The DV whose log-survival is given, by bisection of log DV."""
        target = self.log_mass + log_sf

        def halve(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = ends
            middle = (low + high) / 2
            above = self.whole.log_sf(jnp.exp(middle)) > target
            return jnp.where(above, middle, low), jnp.where(above, high, middle)

        ends = tuple(jnp.full(target.shape, end) for end in LOG_RANGE)
        return jnp.exp(jax.lax.fori_loop(0, HALVINGS, halve, ends)[0])

    def sample(  # type: ignore[override] # NumPyro also takes no key
        self, key: jax.Array, sample_shape: tuple[int, ...] = ()
    ) -> Float[Array, "..."]:
        depth = jax.random.exponential(key, self.shape(sample_shape))
        return self.quantile_of_log_sf(-depth)  # -log of a uniform number

    def standardised(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        """The weighted residual of the whole distribution."""
        return self.whole.standardised(value)

    def log_prob(
        self, value: Float[Array, "..."], intermediates: Any = None
    ) -> Float[Array, "..."]:
        density = self.whole.log_prob(value) - self.log_mass
        return jnp.where(value >= 0, density, -jnp.inf)

    def log_tail(
        self, value: Float[Array, "..."], side: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        zero, value = jnp.broadcast_arrays(self._zero, value)
        below = self.whole.log_interval(zero, value)
        mass, above = self.whole.log_sf(jnp.stack([zero, value]))
        left = side > 0
        inside = jnp.where(left, below, above)
        return _given(mass, inside, jnp.where(left, above, below))

    def log_interval(
        self, lower: Float[Array, "..."], upper: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        zero, lower, upper = jnp.broadcast_arrays(self._zero, lower, upper)
        # stacked: one program for both
        below, inside = self.whole.log_interval(
            jnp.stack([zero, lower]), jnp.stack([lower, upper])
        )
        mass, above = self.whole.log_sf(jnp.stack([zero, upper]))
        return _given(mass, inside, jnp.logaddexp(below, above))


def _given(
    mass: Float[Array, "*n"], inside: Float[Array, "*n"], outside: Float[Array, "*n"]
) -> Float[Array, "*n"]:
    """log P(inside | DV >= 0); by the other side where it is nearly 1."""
    likely = outside < inside
    rest = jnp.where(likely, outside - mass, -1.0)
    return jnp.where(likely, log1mexp(rest), inside - mass)
