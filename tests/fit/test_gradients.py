"""Gradients of the population log-density against central differences.

Every kind of parameter: theta, eta in three forms, omega, LKJ correlation, inverse
Wishart, sigma, covariate coefficients, lag, F, rate, duration, steady-state dosing.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.fit.target import prior_draw
from imak_pkpd.model import AbstractModel
from imak_pkpd.solve.arrivals import arrive, dose_parameters
from imak_pkpd.solve.stepper import Adaptive
from tests.fit.differences import (
    Differences,
    differences,
    individual,
    prior_potential,
)
from tests.fit.trials import (
    TRIALS,
    Text,
    Trial,
    density_of,
    make_trial,
)

LIMIT = 1e-5  # relative, of the best step


class Tools(NamedTuple):
    """A trial with its compiled functions."""

    trial: Trial
    differences: Callable[[np.ndarray], Differences]
    prior_gradient: Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module", params=TRIALS)
def tools(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Tools:
    text, step = TRIALS[request.param]
    return tools_of(text, step, tmp_path_factory.mktemp(request.param))


def tools_of(text: Text, step: float | None, folder: Path) -> Tools:
    trial = make_trial(text, folder, step)
    slope = jax.jit(jax.grad(lambda x, args: prior_potential(trial.density, x, args)))
    return Tools(trial, differences(trial), lambda x: np.asarray(slope(x, trial.args)))


class Outcome(NamedTuple):
    """Of one draw: solved or not, the worst error in units of what is allowed, how many
    coordinates no step could judge, and how many are off by more than the limit alone.
    """

    solved: bool
    worst: float
    corners: int
    rounded: int


def outcome(tools: Tools, position: np.ndarray) -> Outcome:
    """Value and gradient of one draw judged."""
    value, gradient = map(
        np.asarray, tools.trial.density.evaluate(position, tools.trial.args)
    )
    found = tools.differences(position)
    assert not np.isnan(value)
    assert np.all(np.isfinite(gradient))
    if np.any(found.status != 0):
        assert value == np.inf
        # the likelihood's part of the gradient is zero to the bit
        np.testing.assert_allclose(gradient, tools.prior_gradient(position), rtol=1e-12)
        return Outcome(False, 0.0, 0, 0)
    # the terms are the density: prior and subjects add up to it
    assert -found.terms.sum() == pytest.approx(float(value), rel=1e-12)
    slope = -gradient
    limit = LIMIT * np.maximum(np.abs(slope), np.abs(found.slopes)) + 1e-300
    error = np.where(found.smooth, np.abs(slope - found.slopes), np.inf)
    judged = found.smooth.any(0)
    worst = (error / (limit + found.rounding)).min(0)[judged].max()
    rounded = (error / limit).min(0)[judged] > 1
    return Outcome(True, float(worst), int((~judged).sum()), int(rounded.sum()))


def draws_of(trial: Trial, count: int) -> list[np.ndarray]:
    keys = jax.random.split(jax.random.key(20), count)
    return [prior_draw(trial.density, key, trial.args) for key in keys]


def passing(trial: Trial) -> Callable[[np.ndarray], np.ndarray]:
    """A compiled function: does a lag carry a dose past an observation, another dose,
    a reset?"""

    def one(model: AbstractModel, here: Schedule) -> jax.Array:
        given = dose_parameters(model, here.doses, here.dose_names)
        arrival = arrive(here.doses, here.resets, given).arrival
        real = here.doses.mask & (here.doses.past == 0)
        seen, resets = here.observations, here.resets

        def between(clock: jax.Array, mask: jax.Array) -> jax.Array:
            inside = (here.doses.clock[:, None] < clock) & (clock < arrival[:, None])
            return jnp.any(inside & mask & real[:, None])

        return jnp.stack([
            between(seen.clock, seen.mask),
            between(here.doses.clock, real),
            between(resets.clock, resets.mask & resets.wipes),
        ])  # fmt: skip

    def all_subjects(position: jax.Array, args: tuple) -> jax.Array:
        values = trial.density.constrain(position, args)
        return jax.vmap(one)(individual(trial, values, args[0]), args[0]).any(0)

    run = jax.jit(all_subjects)
    return lambda x: np.asarray(run(jnp.asarray(x), trial.args))


def judge(tools: Tools, positions: list[np.ndarray]) -> list[Outcome]:
    """All draws; at most one coordinate in a hundred may sit on a corner, or need the
    rounding of the differences beside the limit."""
    outcomes = [outcome(tools, x) for x in positions]
    solved = [o for o in outcomes if o.solved]
    assert max(o.worst for o in solved) <= 1.0
    few = 0.01 * len(solved) * positions[0].size
    assert sum(o.corners for o in solved) <= few
    assert sum(o.rounded for o in solved) <= few
    return outcomes


def test_gradients_of_a_few_prior_draws(tools: Tools) -> None:
    positions = draws_of(tools.trial, 12)
    solved = [o.solved for o in judge(tools, positions)]
    assert sum(solved) >= 6
    if "TLAG" in tools.trial.problem.spec.theta:
        kept = [x for x, good in zip(positions, solved, strict=True) if good]
        passed = passing(tools.trial)
        assert np.any([passed(x) for x in kept], axis=0).all()


@pytest.mark.parametrize("times", [4, 30])
def test_far_from_anything_plausible_no_number_is_nan(
    tools: Tools, times: float
) -> None:
    """Ten draws so many times as wide as the prior; at 30, parameters overflow."""
    trial = tools.trial
    draws = np.array(draws_of(trial, 10))
    for position in draws.mean(0) + times * (draws - draws.mean(0)):
        value, gradient = map(np.asarray, trial.density.evaluate(position, trial.args))
        assert not np.isnan(value)
        assert np.all(np.isfinite(gradient))


@pytest.mark.slow
def test_gradients_of_two_hundred_draws_that_the_reference_solves(tools: Tools) -> None:
    """Draws are made until the adaptive reference has solved 200 of them."""
    trial = tools.trial
    reference = density_of(trial.problem, trial.mesh, Adaptive(1e-8, 1e-8))
    status = jax.jit(lambda x, args: reference.constrain(x, args)["solve_status"])
    positions = draws_of(trial, 400)
    solves = [bool(np.all(status(x, trial.args) == 0)) for x in positions]
    enough = int(np.searchsorted(np.cumsum(solves), 200)) + 1
    assert sum(solves[:enough]) == 200
    outcomes = judge(tools, positions[:enough])
    wrong = [i for i in range(enough) if solves[i] and not outcomes[i].solved]
    assert wrong == []  # what the reference solves, the mesh solves
    failed = enough - 200
    print(f"{failed} of {enough} draws have no solution; gradient of the likelihood 0")
    print(f"worst error {max(o.worst for o in outcomes):.2g} of what is allowed")
    rounded = sum(o.rounded for o in outcomes)
    print(f"{rounded} of {200 * positions[0].size} coordinates need the rounding")
