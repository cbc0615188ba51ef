"""The point at which every peer is timed: prior medians, SDs of 0.3, small effects."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from problems import BenchProblem

OMEGA = 0.3


class StartValues(NamedTuple):
    """Log typical values, SD of effects, z by parameter [subject], residual SDs."""

    typical: Mapping[str, jax.Array]
    omega: jax.Array
    z: Mapping[str, jax.Array]
    residual: Mapping[str, jax.Array]


def start_values(problem: BenchProblem) -> StartValues:
    """The same numbers for every peer."""
    shape = (problem.subjects, len(problem.varying))
    z = 0.3 * jax.random.normal(jax.random.PRNGKey(5), shape)
    return StartValues(
        typical={name: jnp.log(median) for name, median in problem.medians.items()},
        omega=jnp.asarray(OMEGA),
        z={name: z[:, i] for i, name in enumerate(problem.varying)},
        residual={name: jnp.asarray(sd) for name, sd in problem.residual.items()},
    )


def without_effects(start: StartValues) -> StartValues:
    """The same point with every random effect at zero: a second one, to compare by.

    Programs drop different constants of the log posterior; the rise from here to the
    common point has none.
    """
    return start._replace(z=jax.tree.map(jnp.zeros_like, start.z))
