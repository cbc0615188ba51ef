"""Central differences of a log-density, as exact as float64 allows, for many draws.

The log-density is a sum: prior and one term per subject. Each term is differenced by
itself, so that a large term that does not move adds no rounding. How well a term is
known is seen from its spread over the last digits of the position: where the input of a
steady state is near the capacity of elimination, that is not to the last digit.
A difference counts where no dose, infusion end, observation or reset changes its place
in time within the step, as the density has a corner or a jump there.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpyro.handlers import block, seed, substitute
from numpyro.infer.util import potential_energy

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.fit.posterior import effect_forms
from imak_pkpd.fit.sites import sample_sites
from imak_pkpd.fit.target import Target
from imak_pkpd.model import AbstractModel
from imak_pkpd.solve.arrivals import arrive, dose_parameters
from tests.fit.trials import Trial

STEPS = (1e-4, 1e-5, 1e-6)
ROUNDING = 32 * np.finfo(float).eps  # of one term: exponentials, logarithms and sums
NEAR = 4 * np.finfo(float).eps  # positions as near as this show the rounding that is
SHAKEN = 16  # so many of them
WIDEST = 4  # the worst of thousands of differences against the range of sixteen values
CHUNK = 64  # positions solved at once


class Differences(NamedTuple):
    """At one draw: slopes and their rounding [step, coordinate], `smooth` where they
    count; `terms` are the prior and the subjects, `status` how each solve ended."""

    slopes: Float[np.ndarray, "step d"]
    rounding: Float[np.ndarray, "step d"]
    smooth: Float[np.ndarray, "step d"]
    terms: Float[np.ndarray, " term"]
    status: Float[np.ndarray, " subject"]


class Look(NamedTuple):
    """What is looked at in one position."""

    terms: Float[Array, " term"]
    order: Float[Array, " instant"]
    status: Float[Array, " subject"]


def differences(trial: Trial) -> Callable[[np.ndarray], Differences]:
    """A compiled function of the position: both sides of every step at once."""
    steps = jnp.asarray(STEPS)

    def one(position: Array, args: tuple) -> tuple:
        size = position.shape[0]
        moved = steps[:, None, None] * jnp.eye(size)
        sides = jnp.stack([position + moved, position - moved]).reshape(-1, size)
        # The rest of the last chunk is the place itself, shaken; at the end, as it is.
        rest = SHAKEN + -(len(sides) + SHAKEN) % CHUNK
        noise = NEAR * jax.random.normal(jax.random.key(0), (rest, size))
        here = position * (1 + noise.at[-1].set(0.0))
        grid = jnp.concatenate([sides, here])
        found = jax.lax.map(lambda x: _look(trial, x, args), grid, batch_size=CHUNK)
        shape = (2, len(STEPS), size, -1)
        terms, order = (x[: len(sides)].reshape(shape) for x in found[:2])
        change = terms[0] - terms[1]
        spread = jnp.ptp(found.terms[len(sides) :], axis=0)
        known = jnp.maximum(ROUNDING * jnp.abs(terms[0]), WIDEST * spread)
        rounding = jnp.where(change != 0, known, 0.0).sum(-1)
        twice = 2 * steps[:, None]
        same = jnp.all(order[0] == order[1], -1)
        middle = found.terms[-1], found.status[-1]
        return change.sum(-1) / twice, rounding / twice, same, *middle

    run = jax.jit(one)
    return lambda x: Differences(*map(np.asarray, run(jnp.asarray(x), trial.args)))


def _look(trial: Trial, position: Array, args: tuple) -> Look:
    values = trial.density.constrain(position, args)
    prior = -prior_potential(trial.density, position, args)
    return Look(
        jnp.append(values["log_likelihood"], prior),
        _order(trial, values, args[0]),
        values["solve_status"],
    )


def prior_potential(density: Target, position: Array, args: tuple) -> Array:
    """The potential without the likelihood."""
    alone = block(density.model, hide=["likelihood"])
    return potential_energy(alone, args, {}, density.unravel(position))


def individual(trial: Trial, values: dict, schedule: Schedule) -> AbstractModel:
    """The models of all subjects."""
    problem = trial.problem
    forms = effect_forms(problem.spec, problem.schedule)
    sites = seed(substitute(sample_sites, values), jax.random.key(0))
    parameters, _ = sites(problem.spec, problem.model, forms, schedule)
    return problem.model(**parameters)


def _order(trial: Trial, values: dict, schedule: Schedule) -> Array:
    """The order in time of everything that happens to each subject."""

    def one(model: AbstractModel, here: Schedule) -> Array:
        given = dose_parameters(model, here.doses, here.dose_names)
        arrivals = arrive(here.doses, here.resets, given)
        fixed = (here.doses.clock, here.observations.clock, here.resets.clock)
        instants = (arrivals.arrival, arrivals.end, *fixed, here.covariates.start)
        # Of a steady state: how many intervals the lag and the infusion reach back.
        each = jnp.where(here.doses.interval > 0, here.doses.interval, 1.0)
        reach = [jnp.floor(x / each) for x in (arrivals.lag, arrivals.length)]
        return jnp.concatenate([jnp.argsort(jnp.concatenate(instants)), *reach])

    return jax.vmap(one)(individual(trial, values, schedule), schedule).ravel()
