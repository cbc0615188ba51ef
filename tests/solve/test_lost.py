"""A tumour at its capacity, whose logarithm is stiff there: steps that are too long.

d ln n/dt = g (1 - n/K) has the closed form of logistic growth. Steps of 8 d at a growth
of 0.5/d are beyond the stability of an explicit step: ln n swings, then falls to -1e11,
which by its number is a cured tumour. Such a subject must not pass for a solved one.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from imak_pkpd.model import AbstractModel, Inputs, Scalar, parameter
from imak_pkpd.solve.mesh import build_mesh, declared_dosing
from imak_pkpd.solve.status import SolveStatus
from imak_pkpd.solve.stepper import AbstractStepper, Adaptive, Explicit
from imak_pkpd.solve.trajectory import Trajectory, solve
from tests.solve.records import Record, schedule_of

LOG_CAPACITY, LOG_START, END = np.log(1e12), np.log(1e9), 200.0
GROWTH = np.array([0.05, 0.2, 0.5])  # 1/d
STEP = 8.0  # d
RECORDS: list[Record] = [
    {"TIME": 0.0, "EVID": 2},
    {"TIME": END, "EVID": 0, "OUTPUT": 0},
]


class Tumour(NamedTuple):
    l: Scalar  # noqa: E741  # ln of its cells


class LogTumour(AbstractModel):
    time = "day"
    doses = {}
    outputs = {"l": ""}
    g: Scalar = parameter("1/day", "growth", "assumed")

    def initial(self, inputs: Inputs) -> Tumour:
        return Tumour(jnp.full_like(self.g, LOG_START))

    def dose(self, state: Tumour, name: str, amount: Scalar) -> Tumour:
        return Tumour(state.l + amount)

    def rates(self, t: Scalar, state: Tumour, inputs: Inputs) -> Tumour:
        return Tumour(self.g * (1.0 - jnp.exp(state.l - LOG_CAPACITY)))

    def observe(self, t: Scalar, state: Tumour, inputs: Inputs) -> dict[str, Scalar]:
        return {"l": state.l}


def course(stepper: AbstractStepper) -> Trajectory:
    """Of three tumours, on the same long steps."""
    schedule = schedule_of([RECORDS] * len(GROWTH), LogTumour)
    steps = [np.arange(STEP, END, STEP)] * len(GROWTH)
    mesh = build_mesh(schedule, declared_dosing(LogTumour), steps)
    return solve(LogTumour(g=jnp.asarray(GROWTH)), schedule, mesh, stepper)


def at_the_end(growth: np.ndarray) -> np.ndarray:
    """ln n of logistic growth."""
    ratio = np.exp(LOG_CAPACITY - LOG_START) - 1.0
    return LOG_CAPACITY - np.log1p(ratio * np.exp(-growth * END))


def test_a_step_far_too_long_is_no_solution() -> None:
    """The slow ones are right at the end; the fast one is lost."""
    path = course(Explicit())
    assert list(np.asarray(path.status)) == [0, 0, SolveStatus.lost]
    last = np.asarray(path.after.l)[:, -1]
    np.testing.assert_allclose(last[:2], at_the_end(GROWTH)[:2], rtol=1e-6)
    assert last[2] < -1e6  # finite, and no number of cells
    assert 0.0 < float(path.when[2]) < END


def test_the_adaptive_solver_knows_all_three() -> None:
    path = course(Adaptive(1e-8, 1e-8))
    assert not np.asarray(path.status).any()
    last = np.asarray(path.after.l)[:, -1]
    np.testing.assert_allclose(last, at_the_end(GROWTH), rtol=1e-6)
