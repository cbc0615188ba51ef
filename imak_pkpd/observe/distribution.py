"""What an assay reports, as NumPyro distributions: the one density of an output.

`LocationScale`     DV = prediction + scale * z
`LogLocationScale`  log DV = log prediction + scale * z, z normal
`TruncatedAtZero`   a LocationScale on condition that DV >= 0 (M4): `truncation.py`
Counts and grades   `binomial.py`, `poisson.py`, `ordinal.py`
Times to an event   `event.py`
Likelihood, simulation (`sample`) and residuals all use the same object.
"""

import abc
import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, Bool, Float
from numpyro.distributions import constraints

from imak_pkpd.observe.law import AbstractLaw, Gaussian


class AbstractObserved(dist.Distribution):
    """A NumPyro distribution of a DV that may be censored."""

    # NumPyro's metaclass leaves @abstractmethod unchecked: it is for the reader

    lowest: ClassVar[float]
    """The lower end of the support."""

    step: ClassVar[float]
    """From one DV to the next: 1 of a count, 0 of a continuous one."""

    @property
    @abc.abstractmethod
    def median(self) -> Float[Array, "..."]:
        """The DV in the middle of the distribution."""

    @abc.abstractmethod
    def standardised(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        """The weighted residual (DV - prediction) / scale."""

    @abc.abstractmethod
    def log_tail(
        self, value: Float[Array, "..."], side: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """log P(DV <= value) where `side` is 1, log P(DV >= value) where it is -1."""

    @abc.abstractmethod
    def log_interval(
        self, lower: Float[Array, "..."], upper: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """log P(lower <= DV <= upper), both finite and inside the support."""

    def log_cdf(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        """log P(DV <= value)."""
        return self.log_tail(value, jnp.ones(()))

    def log_sf(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        """log P(DV >= value)."""
        return self.log_tail(value, -jnp.ones(()))

    def cdf(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        """P(DV <= value)."""
        return jnp.exp(self.log_cdf(value))


def limits_of(
    value: Float[Array, "..."], side: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """The counts from 0 on that lie on one side of a value, it included."""
    left = side > 0
    return jnp.where(left, 0.0, value), jnp.where(left, value, jnp.inf)


class LocationScale(AbstractObserved):
    """DV = loc + scale * z, with z of a standard law (normal or Student's t)."""

    arg_constraints = {
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    pytree_data_fields = ("law", "loc", "scale")
    support = constraints.real
    lowest = -math.inf
    step = 0.0

    def __init__(
        self,
        law: AbstractLaw,
        loc: Float[Array, "..."],
        scale: Float[Array, "..."],
        *,
        validate_args: bool | None = None,
    ) -> None:
        shape = jnp.broadcast_shapes(law.shape, loc.shape, scale.shape)
        self.law = law
        self.loc = jnp.broadcast_to(loc, shape)
        self.scale = jnp.broadcast_to(scale, shape)
        super().__init__(batch_shape=shape, validate_args=validate_args)

    @property
    def mean(self) -> Float[Array, "..."]:
        return self.loc

    @property
    def variance(self) -> Float[Array, "..."]:
        return self.scale**2 * self.law.variance

    @property
    def median(self) -> Float[Array, "..."]:
        return self.loc

    def sample(  # type: ignore[override] # NumPyro also takes no key
        self, key: jax.Array, sample_shape: tuple[int, ...] = ()
    ) -> Float[Array, "..."]:
        return self.loc + self.scale * self.law.sample(key, self.shape(sample_shape))

    def standardised(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        return (value - self.loc) / self.scale

    def log_prob(
        self, value: Float[Array, "..."], intermediates: Any = None
    ) -> Float[Array, "..."]:
        return self.law.log_pdf(self.standardised(value)) - jnp.log(self.scale)

    def log_tail(
        self, value: Float[Array, "..."], side: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        return self.law.log_cdf(side * self.standardised(value))

    def log_interval(
        self, lower: Float[Array, "..."], upper: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        # a difference of two standardised limits would lose the digits of a narrow one
        width = (upper - lower) / self.scale
        return self.law.log_interval(self.standardised(lower), width)


class LogLocationScale(AbstractObserved):
    """log DV = loc + scale * z, z normal: a log-normal DV with median exp(loc)."""

    arg_constraints = LocationScale.arg_constraints
    pytree_data_fields = ("loc", "scale")
    support = constraints.positive
    lowest = 0.0
    step = 0.0

    def __init__(
        self,
        loc: Float[Array, "..."],
        scale: Float[Array, "..."],
        *,
        validate_args: bool | None = None,
    ) -> None:
        shape = jnp.broadcast_shapes(loc.shape, scale.shape)
        self.loc = jnp.broadcast_to(loc, shape)
        self.scale = jnp.broadcast_to(scale, shape)
        super().__init__(batch_shape=shape, validate_args=validate_args)

    @property
    def mean(self) -> Float[Array, "..."]:
        return jnp.exp(self.loc + self.scale**2 / 2)

    @property
    def variance(self) -> Float[Array, "..."]:
        return self.mean**2 * jnp.expm1(self.scale**2)

    @property
    def median(self) -> Float[Array, "..."]:
        return jnp.exp(self.loc)

    def sample(  # type: ignore[override] # NumPyro also takes no key
        self, key: jax.Array, sample_shape: tuple[int, ...] = ()
    ) -> Float[Array, "..."]:
        z = Gaussian().sample(key, self.shape(sample_shape))
        return jnp.exp(self.loc + self.scale * z)

    def standardised(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        """(log DV - log prediction) / scale, of a positive DV."""
        return (jnp.log(value) - self.loc) / self.scale

    def log_prob(
        self, value: Float[Array, "..."], intermediates: Any = None
    ) -> Float[Array, "..."]:
        inside, value = self._inside(value)
        density = Gaussian().log_pdf(self.standardised(value)) - jnp.log(self.scale)
        return jnp.where(inside, density - jnp.log(value), -jnp.inf)

    def log_tail(
        self, value: Float[Array, "..."], side: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        inside, value = self._inside(value)
        log_p = Gaussian().log_cdf(side * self.standardised(value))
        return jnp.where(inside, log_p, jnp.where(side > 0, -jnp.inf, 0.0))

    def _inside(
        self, value: Float[Array, "..."]
    ) -> tuple[Bool[Array, "..."], Float[Array, "..."]]:
        """Whether the value is positive, and the value or 1 (finite derivatives)."""
        inside = value > 0
        return inside, jnp.where(inside, value, 1.0)

    def log_interval(
        self, lower: Float[Array, "..."], upper: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        width = jnp.log1p((upper - lower) / lower) / self.scale
        return Gaussian().log_interval(self.standardised(lower), width)
