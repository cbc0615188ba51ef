"""Events in a known exposure: droplets of a digital PCR, events of a cytometer."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpyro.distributions import constraints

from imak_pkpd.observe.count import AbstractCount
from imak_pkpd.observe.inversion import inverted
from imak_pkpd.observe.rising import log_rising


class Poisson(AbstractCount):
    """k events where `rate` are expected."""

    arg_constraints = {"rate": constraints.positive}
    pytree_data_fields = ("rate",)

    def __init__(
        self, rate: Float[Array, "..."], *, validate_args: bool | None = None
    ) -> None:
        self.rate = rate
        super().__init__(batch_shape=jnp.shape(rate), validate_args=validate_args)

    @property
    def highest(self) -> Float[Array, "..."]:
        return jnp.full(jnp.shape(self.rate), jnp.inf)

    @property
    def mean(self) -> Float[Array, "..."]:
        return self.rate

    @property
    def variance(self) -> Float[Array, "..."]:
        return self.rate

    def log_mass(self, count: Float[Array, "..."]) -> Float[Array, "..."]:
        ways = log_rising(jnp.ones_like(count), count)
        return count * jnp.log(self.rate) - self.rate - ways

    def upwards(self, count: Float[Array, "..."]) -> Float[Array, "..."]:
        return self.rate / (count + 1)

    def downwards(self, count: Float[Array, "..."]) -> Float[Array, "..."]:
        return count / self.rate

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Float[Array, "..."]:
        return inverted(self, jax.random.uniform(key, shape))
