"""A parameter before its random effect: theta and what covariates do to it."""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from imak_pkpd.population.covariate import CovariateBlock, Effect, Values
from imak_pkpd.population.omega import Form, OmegaBlock
from imak_pkpd.population.prior import (
    AbstractPrior,
    PriorBlock,
    Scale,
    ThetaBlock,
    ToScale,
)

Covariates = Mapping[str, Float[Array, "subject interval"]]
"""Data columns by name."""

Columns = Mapping[str, Float[Array, "subject #interval"]]
"""The same, with one interval where a column does not change inside a subject."""

Numbers = Mapping[str, Float[Array, "*k"]]
"""theta_p and beta_p_column by site name; others may be present."""


class Population(NamedTuple):
    """What model and fit file say of the parameters: fixed while tracing.

    Arguments: `scales` of all model parameters; `theta`, `omega`, `covariate`, the
    tables of the fit file; `forms` from `resolve_forms`; `to_scale` and `from_scale`,
    the model's; `varying`, the columns that change inside a subject; `levels`, the
    names of text covariates.
    """

    scales: Mapping[str, Scale]
    theta: Mapping[str, ThetaBlock]
    omega: OmegaBlock
    covariate: Mapping[str, Mapping[str, CovariateBlock]]
    forms: Mapping[str, Form]
    to_scale: ToScale
    from_scale: ToScale
    varying: frozenset[str] = frozenset()
    levels: Mapping[str, tuple[str, ...]] = {}

    def columns(self, parameter: str) -> tuple[str, ...]:
        """The data columns that a parameter depends on."""
        effects = self.covariate.get(parameter, {})
        read = self.theta[parameter].column
        own = () if read is None else (read,)
        return (*own, *(block.column or key for key, block in effects.items()))

    def varies(self, parameter: str) -> bool:
        """Whether a parameter changes inside a subject."""
        return any(column in self.varying for column in self.columns(parameter))

    def coefficients(self) -> dict[str, PriorBlock]:
        """The covariate coefficients by site name, beta_parameter_key."""
        return {
            site: prior
            for parameter, effects in self.covariate.items()
            for key, block in effects.items()
            for site, prior in block.coefficients(f"beta_{parameter}_{key}").items()
        }

    def alone(self, parameter: str) -> bool:
        """Whether theta is given and nothing is added: no eta, no covariate."""
        given = not self.theta[parameter].sampled
        moved = parameter in self.omega.random or self.covariate.get(parameter)
        return given and not moved

    def narrowed(self, covariates: Covariates) -> Columns:
        """The columns, with one interval where they do not change inside a subject."""
        return {
            name: value if name in self.varying else value[:, :1]
            for name, value in covariates.items()
        }


class Mean(NamedTuple):
    """A parameter before eta: `location` on its scale, `factor` on the natural one."""

    location: Float[Array, "#subject #interval"]
    factor: Float[Array, "#subject #interval"] | float


def mean(
    population: Population, parameter: str, numbers: Numbers, columns: Columns
) -> Mean:
    """theta and covariates; a factor on the identity scale acts before eta."""
    block, scale = population.theta[parameter], population.scales[parameter]
    theta = (
        numbers[f"theta_{parameter}"]
        if block.sampled
        else population.to_scale(given(block, columns), scale)
    )
    effect = _effect(population, parameter, numbers, columns)
    location = jnp.atleast_2d(theta + effect.added)
    if scale == "log":
        return Mean(location, effect.factor)
    return Mean(location * effect.factor, 1.0)


def given(block: AbstractPrior, columns: Columns) -> Float[Array, "*k"]:
    """The number of a block without a prior: its column or its fixed value."""
    if block.column is not None:
        return columns[block.column]
    return jnp.asarray(block.fixed, float)


def _effect(
    population: Population, parameter: str, numbers: Numbers, columns: Columns
) -> Effect:
    total = Effect()
    for key, block in population.covariate.get(parameter, {}).items():
        column, site = block.column or key, f"beta_{parameter}_{key}"
        values = Values(columns[column], population.levels.get(column, ()))
        known = {
            name: numbers[name] if prior.sampled else given(prior, columns)
            for name, prior in block.coefficients(site).items()
        }
        one = block.apply(values, known, site)
        total = Effect(total.added + one.added, total.factor * one.factor)
    return total
