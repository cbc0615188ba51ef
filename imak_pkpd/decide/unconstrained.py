"""The population's draws as vectors on the unconstrained scale, and their normal.

`Normal` stands in for the draws where a gradient is needed; `adequacy` says how well.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpyro.distributions import Distribution, biject_to
from numpyro.handlers import block, seed, trace
from scipy.stats import norm

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.decide.finished_run import Sites
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.sites import sample_sites
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.model import AnyModel
from imak_pkpd.population.omega import Form

Vectors = Float[np.ndarray, "draw d"]


class Normal(NamedTuple):
    """Mean and Cholesky factor of the vectors."""

    centre: Float[np.ndarray, " d"]
    factor: Float[np.ndarray, "d d"]


class Adequacy(NamedTuple):
    """The worst coordinate: the largest distance of its distribution function from the
    normal's (Kolmogorov), of `draws` draws. By chance alone it is near 1/sqrt(draws).
    """

    distance: float
    of: str
    draws: int


def priors_of(
    spec: FitSpec, model: type[AnyModel], schedule: Schedule, names: tuple[str, ...]
) -> dict[str, Distribution]:
    """The prior of each site, which says where it may lie. Inside a NumPyro model
    nothing of this is a site of that model."""
    forms: dict[str, Form] = dict.fromkeys(spec.omega.random, "z")
    with block():
        sites = trace(seed(sample_sites, jax.random.key(0))).get_trace(
            spec, model, forms, schedule
        )
    return {name: sites[name]["fn"] for name in names}


def unconstrained_population(problem: Problem, population: Sites) -> Vectors:
    """Every draw as a vector, sites in order of their names."""
    names = tuple(sorted(population))
    priors = priors_of(problem.spec, problem.model, problem.schedule, names)
    draws = len(next(iter(population.values())))
    parts = [
        jax.vmap(biject_to(priors[name].support).inv)(jnp.asarray(population[name]))
        for name in names
    ]
    return np.concatenate([np.asarray(p).reshape(draws, -1) for p in parts], axis=1)


def constrained(
    priors: dict[str, Distribution], vector: Float[Array, " d"]
) -> dict[str, Array]:
    """The sites of one vector, on their own scale."""
    found, first = {}, 0
    for name in sorted(priors):
        move = biject_to(priors[name].support)
        shape = move.inverse_shape(priors[name].shape())
        size = int(np.prod(shape))
        found[name] = move(vector[first : first + size].reshape(shape))
        first += size
    return found


def normal_of(vectors: Vectors) -> Normal:
    """The normal with mean and covariance of the vectors."""
    covariance = np.atleast_2d(np.cov(vectors.T))
    # a trace of the diagonal: rounding, or fewer draws than numbers, leave it singular
    ridge = 1e-9 * np.diag(covariance) + 1e-300
    return Normal(vectors.mean(0), np.linalg.cholesky(covariance + np.diag(ridge)))


def adequacy(problem: Problem, population: Sites, vectors: Vectors) -> Adequacy:
    """How far the worst coordinate is from normal."""
    white = (vectors - vectors.mean(0)) / (vectors.std(0) + 1e-300)
    below = np.arange(1, len(white) + 1)[:, None] / len(white)
    found = np.abs(norm.cdf(np.sort(white, axis=0)) - below).max(0)
    names = coordinate_names(problem, population)
    worst = int(found.argmax())
    return Adequacy(float(found[worst]), names[worst], len(vectors))


def coordinate_names(problem: Problem, population: Sites) -> list[str]:
    """The site of every coordinate."""
    names = tuple(sorted(population))
    priors = priors_of(problem.spec, problem.model, problem.schedule, names)
    found: list[str] = []
    for name in names:
        shape = biject_to(priors[name].support).inverse_shape(priors[name].shape())
        found += [name] * int(np.prod(shape))
    return found
