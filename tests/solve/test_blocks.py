"""Many subjects are solved block after block: the same numbers, and the same slopes."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.fit.problem import Problem, read_problem
from imak_pkpd.fit.spec import read_fit
from imak_pkpd.solve import shared as sharing
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing
from imak_pkpd.solve.shared import MANY, TOGETHER
from imak_pkpd.solve.stepper import Exact
from imak_pkpd.solve.trajectory import predict

COPIES = 25  # of 12 subjects: four blocks and a part of one


@pytest.fixture(scope="module")
def problem(root: Path) -> Problem:
    return read_problem(read_fit(root / "fits/001-theophylline.toml"))


@pytest.fixture(scope="module")
def copies(problem: Problem) -> tuple[Schedule, Mesh]:
    """Schedule and mesh of all copies."""
    mesh = build_mesh(problem.schedule, declared_dosing(problem.model))
    return jax.tree.map(
        lambda rows: np.tile(rows, (COPIES,) + (1,) * (np.ndim(rows) - 1)),
        (problem.schedule, mesh),
    )


def test_blocks_change_nothing(
    problem: Problem, copies: tuple[Schedule, Mesh], monkeypatch: pytest.MonkeyPatch
) -> None:
    """rtol 1e-12: sums are added in another order. CL is one number for all."""
    schedule, mesh = copies
    assert schedule.subjects > MANY
    assert schedule.subjects % TOGETHER
    mask = jnp.asarray(schedule.observations.mask)

    def predicted(ka: jax.Array, CL: jax.Array) -> jax.Array:
        made: Any = problem.model(ka=ka, V=jnp.full_like(ka, 0.5), CL=CL)
        found = predict(made, schedule, mesh, Exact()).outputs["concentration"]
        return jnp.where(mask, found, 0.0)

    def numbers() -> list[jax.Array]:
        total = lambda *x: jnp.sum(predicted(*x) ** 2)  # noqa: E731
        both = lambda *x: (predicted(*x), jax.grad(total, (0, 1))(*x))  # noqa: E731
        ka = jnp.linspace(1.0, 2.0, schedule.subjects)
        return jax.tree.leaves(jax.jit(both)(ka, jnp.asarray(0.04)))

    in_blocks = numbers()
    monkeypatch.setattr(sharing, "_on_one_cpu", lambda: False)
    for here, there in zip(in_blocks, numbers(), strict=True):
        np.testing.assert_allclose(here, there, rtol=1e-12, atol=1e-15)
