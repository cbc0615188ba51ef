"""`Ordinal`: a grade 0, 1, …, K of which the model gives P(grade >= k)."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpyro.distributions import constraints

from imak_pkpd.observe.distribution import AbstractObserved, limits_of

RAREST = 1e-30
"""No grade is rarer: where the model's probabilities cross, the log-density is finite
and low."""


class Ordinal(AbstractObserved):
    """The grade; `at_least` are P(grade >= 1), …, P(grade >= K)."""

    arg_constraints: dict[str, Any] = {}
    pytree_data_fields = ("at_least",)
    support = constraints.nonnegative_integer
    lowest = 0.0
    step = 1.0

    def __init__(
        self,
        at_least: tuple[Float[Array, "..."], ...],
        *,
        validate_args: bool | None = None,
    ) -> None:
        self.at_least = at_least
        shape = jnp.shape(at_least[0])
        super().__init__(batch_shape=shape, validate_args=validate_args)

    @property
    def highest(self) -> int:
        """K."""
        return len(self.at_least)

    @property
    def mean(self) -> Float[Array, "..."]:
        return sum(self.at_least[1:], self.at_least[0])

    @property
    def variance(self) -> Float[Array, "..."]:
        odd = [(2 * k - 1) * p for k, p in enumerate(self.at_least, 1)]
        return jnp.maximum(sum(odd[1:], odd[0]) - self.mean**2, RAREST)

    @property
    def median(self) -> Float[Array, "..."]:
        """The largest grade that at least half reach."""
        half = [p >= 0.5 for p in self.at_least]
        return sum((each.astype(float) for each in half[1:]), half[0].astype(float))

    def standardised(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        """The Pearson residual (grade - mean) / SD."""
        return (value - self.mean) / jnp.sqrt(self.variance)

    def sample(  # type: ignore[override] # NumPyro also takes no key
        self, key: jax.Array, sample_shape: tuple[int, ...] = ()
    ) -> Float[Array, "..."]:
        part = jax.random.uniform(key, self.shape(sample_shape))
        reached = [(part < p).astype(float) for p in self.at_least]
        grade = sum(reached[1:], reached[0])
        return jnp.where(jnp.isfinite(self.mean), grade, jnp.nan)

    def log_prob(
        self, value: Float[Array, "..."], intermediates: Any = None
    ) -> Float[Array, "..."]:
        inside = (value >= 0) & (value <= self.highest) & (value == jnp.floor(value))
        return jnp.where(inside, self.log_interval(value, value), -jnp.inf)

    def log_tail(
        self, value: Float[Array, "..."], side: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        return self.log_interval(*limits_of(value, side))

    def log_interval(
        self, lower: Float[Array, "..."], upper: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """log P(lower <= grade <= upper), limits included; -inf where none lies."""
        least, most = jnp.ceil(lower), jnp.floor(upper)
        some = (least <= most) & (most >= 0) & (least <= self.highest)
        reach, pass_ = self._reach(least), self._reach(most + 1)
        inside = jnp.maximum(reach - pass_, RAREST)
        above = jnp.clip(pass_, 0.0, 1 - RAREST)
        whole = (least <= 0) & (above < 0.5)
        log_p = jnp.where(
            whole, jnp.log1p(-jnp.where(whole, above, 0.0)), jnp.log(inside)
        )
        return jnp.where(some, log_p, -jnp.inf)

    def _reach(self, grade: Float[Array, "..."]) -> Float[Array, "..."]:
        """P(grade >= the given one), within 0 and 1."""
        reach = jnp.where(grade <= 0, 1.0, 0.0)
        for k, p in enumerate(self.at_least, 1):
            reach = jnp.where(grade == k, p, reach)
        return jnp.where(reach > 1, 1.0, jnp.where(reach < 0, 0.0, reach))
