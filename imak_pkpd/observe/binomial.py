"""k positive of n scored: `Binomial`, and `BetaBinomial` where n overdisperse.

p and 1 - p are both held, each from its own formula: near 1 the one would have lost
the digits of the other.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpyro.distributions import constraints

from imak_pkpd.observe.count import AbstractCount
from imak_pkpd.observe.inversion import inverted
from imak_pkpd.observe.rising import log_choose, log_rising

SMALLEST = 1e-16  # a drawn p that is 0 has lost its logarithm, not its draw


class Binomial(AbstractCount):
    """k of n, each positive with probability p; `q` is 1 - p."""

    arg_constraints = {
        "trials": constraints.positive,
        "p": constraints.unit_interval,
        "q": constraints.unit_interval,
    }
    pytree_data_fields = ("trials", "p", "q")

    def __init__(
        self,
        trials: Float[Array, "..."],
        p: Float[Array, "..."],
        q: Float[Array, "..."],
        *,
        validate_args: bool | None = None,
    ) -> None:
        self.trials, self.p, self.q = jnp.broadcast_arrays(trials, p, q)
        super().__init__(batch_shape=self.p.shape, validate_args=validate_args)

    @property
    def highest(self) -> Float[Array, "..."]:
        return self.trials

    @property
    def mean(self) -> Float[Array, "..."]:
        return self.trials * self.p

    @property
    def variance(self) -> Float[Array, "..."]:
        return self.trials * self.p * self.q

    def log_mass(self, count: Float[Array, "..."]) -> Float[Array, "..."]:
        negative = self.trials - count
        chosen = log_choose(self.trials, count)
        return chosen + count * jnp.log(self.p) + negative * jnp.log(self.q)

    def upwards(self, count: Float[Array, "..."]) -> Float[Array, "..."]:
        return (self.trials - count) / (count + 1) * (self.p / self.q)

    def downwards(self, count: Float[Array, "..."]) -> Float[Array, "..."]:
        return count / (self.trials - count + 1) * (self.q / self.p)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Float[Array, "..."]:
        return inverted(self, jax.random.uniform(key, shape))


class BetaBinomial(AbstractCount):
    """k of n whose p differs between samples: Beta with shapes `a` and `b`."""

    arg_constraints = {
        "trials": constraints.positive,
        "a": constraints.positive,
        "b": constraints.positive,
    }
    pytree_data_fields = ("trials", "a", "b")

    def __init__(
        self,
        trials: Float[Array, "..."],
        a: Float[Array, "..."],
        b: Float[Array, "..."],
        *,
        validate_args: bool | None = None,
    ) -> None:
        self.trials, self.a, self.b = jnp.broadcast_arrays(trials, a, b)
        super().__init__(batch_shape=self.a.shape, validate_args=validate_args)

    @property
    def highest(self) -> Float[Array, "..."]:
        return self.trials

    @property
    def mean(self) -> Float[Array, "..."]:
        return self.trials * (self.a / (self.a + self.b))

    @property
    def variance(self) -> Float[Array, "..."]:
        total = self.a + self.b
        wider = (total + self.trials) / (total + 1)
        return self.mean * (self.b / total) * wider

    def log_mass(self, count: Float[Array, "..."]) -> Float[Array, "..."]:
        negative = self.trials - count
        chosen = log_choose(self.trials, count)
        shapes = log_rising(self.a, count) + log_rising(self.b, negative)
        return chosen + shapes - log_rising(self.a + self.b, self.trials)

    def upwards(self, count: Float[Array, "..."]) -> Float[Array, "..."]:
        negative = self.trials - count
        ways = negative / (count + 1)
        return ways * (self.a + count) / (self.b + negative - 1)

    def downwards(self, count: Float[Array, "..."]) -> Float[Array, "..."]:
        negative = self.trials - count
        ways = count / (negative + 1)
        return ways * (self.b + negative) / (self.a + count - 1)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Float[Array, "..."]:
        of_p, of_k = jax.random.split(key)
        p = jax.random.beta(of_p, self.a, self.b, shape)
        p = jnp.clip(p, SMALLEST, 1 - SMALLEST)
        return Binomial(self.trials, p, 1 - p).draw(of_k, shape)
