"""The core model's equations against a stored solution at its prior medians."""

import csv
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from imak_pkpd.model import Inputs, load_model, parameters
from imak_pkpd.model.abstract import AbstractModel

MEDIANS = {
    "D0": 3.5e9, "rho": 0.35, "dD": 0.35, "kR": 4.0, "a": 8e8, "kd": 0.8, "eH": 0.75,
    "g": 0.03, "B0": 5e9, "kap": 2.0, "rZ": 0.33, "hR": 1e9, "rhoR": 1.25, "dR": 0.08,
    "D50": 3e7, "H0": 3e11, "rH": 0.17, "K": 2e12, "h": 3e8, "fs": 0.3, "kZ": 2.5,
    "Z0": 1e6, "KZ": 8e8, "dZ": 0.04, "e50": 1e9, "kp": 0.7,
}  # fmt: skip
NOTHING = Inputs({"cells": jnp.zeros(())}, {})


@pytest.fixture(scope="module")
def core(root: Path) -> type[AbstractModel]:
    return load_model(root / "models" / "imak_core.py")


@pytest.fixture(scope="module")
def model(core: type[AbstractModel]) -> AbstractModel:
    return core(**{name: jnp.asarray(value) for name, value in MEDIANS.items()})


def test_every_parameter_has_a_median_here(core: type[AbstractModel]) -> None:
    assert set(MEDIANS) == set(parameters(core))


def test_the_stored_trajectory(model: AbstractModel, shared: Path) -> None:
    """Within the stored file's limits: 1e-6 relative or one cell, l 1e-6 absolute."""
    with (shared / "science" / "core_trajectory.csv").open() as file:
        rows = list(csv.DictReader(file))
    days = np.array([float(row["day"]) for row in rows])
    names = type(model.initial(NOTHING))
    start = np.array(model.dose(model.initial(NOTHING), "cells", jnp.asarray(7e9)))
    rates = jax.jit(lambda t, y: jnp.stack(model.rates(t, names(*y), NOTHING)))
    solved = solve_ivp(
        rates, (0, days[-1]), start, "LSODA", t_eval=days, rtol=1e-10, atol=1e-8
    )
    for index, name in enumerate(names._fields):
        true = np.array([float(row[name]) for row in rows])
        limit = 1e-6 if name == "l" else np.maximum(1e-6 * abs(true), 1.0)
        assert np.all(abs(solved.y[index] - true) <= limit), name


def test_outputs_at_the_infusion(model: AbstractModel) -> None:
    """By hand: 0.02 x 3.5e9 / 5e6 uL = 14 per uL; 1.25 host cells scored for each."""
    state = model.dose(model.initial(NOTHING), "cells", jnp.asarray(7e9))
    found = model.observe(jnp.zeros(()), state, NOTHING)
    host = 3e11 * np.exp(-0.75)
    assert float(found["donor"]) == pytest.approx(14.0, rel=1e-12)
    assert float(found["chimerism"]) == pytest.approx(3.5e9 / (3.5e9 + 1.25 * host))
    assert float(found["tumour"]) == pytest.approx(5e9 + 1, rel=1e-9)


def test_far_below_one_cell_the_tumour_has_no_gradient(model: AbstractModel) -> None:
    def log_tumour(l: jax.Array) -> jax.Array:  # noqa: E741
        state = model.initial(NOTHING)._replace(l=l)
        return jnp.log(model.observe(jnp.zeros(()), state, NOTHING)["tumour"])

    assert float(jax.grad(log_tumour)(jnp.asarray(-30.0))) < 1e-12  # e^-30 = 9e-14
    assert float(jax.grad(log_tumour)(jnp.asarray(20.0))) == pytest.approx(1, abs=1e-8)


WILD = [-1e12, -1.0, 0.0, 1.0, 1e14]


@pytest.mark.parametrize("t", [-1.0, 0.0, 2.5, 3650.0])
def test_wild_states_give_finite_rates_and_gradients(
    model: AbstractModel, t: float
) -> None:
    """A sampler's trial step may leave the sensible: no pole, no NaN."""
    names = type(model.initial(NOTHING))

    def total(y: jax.Array, model: AbstractModel) -> jax.Array:
        state = names(*y)
        rates = model.rates(jnp.asarray(t), state, NOTHING)
        seen = model.observe(jnp.asarray(t), state, NOTHING)
        return sum(rates) + sum(seen.values())

    grid = np.array(np.meshgrid(*[WILD] * len(names._fields))).reshape(6, -1).T
    value, slopes = jax.jit(jax.vmap(jax.value_and_grad(total, (0, 1)), (0, None)))(
        jnp.asarray(grid), model
    )
    assert np.all(np.isfinite(value))
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(slopes))
