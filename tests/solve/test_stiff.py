"""Stiff models on the mesh of the Rosenbrock stepper, against SciPy's Radau."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from imak_pkpd.model import AbstractModel, Inputs, Scalar, parameter, parameters
from imak_pkpd.solve.calibrate import calibrate
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing
from imak_pkpd.solve.rodas import Rodas
from imak_pkpd.solve.status import SolveStatus
from imak_pkpd.solve.stepper import Adaptive, Rosenbrock
from imak_pkpd.solve.trajectory import Prediction, predict, solve
from tests.reference_models.receptor import Receptor
from tests.solve.receptor import (
    TIMES,
    by_radau,
    eigenvalue_ratio,
    patients,
    schedule,
)
from tests.solve.records import Record, other, schedule_of, seen
from tests.solve.test_lost import (
    GROWTH,
    LOG_CAPACITY,
    LOG_START,
    LogTumour,
    at_the_end,
    course,
)

TOLERANCE = 1e-6
STEPPER = Rosenbrock()


@pytest.fixture(scope="module")
def three() -> Receptor:
    return patients(kon=[1.0, 0.5, 2.0], ke=[1.0, 2.0, 0.5], ka=[1.0, 1.5, 0.7])


@pytest.fixture(scope="module")
def exact(three: Receptor) -> np.ndarray:
    """The states [patient, time, state]."""
    return np.stack([by_radau(three, i) for i in range(3)])


@pytest.fixture(scope="module")
def mesh(three: Receptor) -> Mesh:
    return placed(three)


def placed(model: Receptor) -> Mesh:
    dosing = declared_dosing(Receptor)
    return calibrate([model], schedule(3), dosing, TOLERANCE, STEPPER)


PREDICT = jax.jit(lambda model, mesh: predict(model, schedule(3), mesh, STEPPER))


def concentrations(found: Prediction) -> jax.Array:
    return found.outputs["concentration"][:, : len(TIMES)]


def test_the_case_is_stiff_and_the_mesh_does_not_mind(
    three: Receptor, mesh: Mesh
) -> None:
    """1,440 + 50·(5 + ...) per h over 96 h are 65,000 steps of an explicit method."""
    assert eigenvalue_ratio(three) > 1e5
    assert mesh.nodes < 1000


def test_every_state_with_doses_at_mesh_points(
    three: Receptor, mesh: Mesh, exact: np.ndarray
) -> None:
    """A step errs by 1e-6; errors of some hundred steps do not add up: what is fast
    forgets them. Observations just after a dose are among them."""
    path = jax.jit(lambda m, g: solve(m, schedule(3), g, STEPPER))(three, mesh)
    assert not np.asarray(path.status).any()
    at = np.asarray(mesh.at)[:, : len(TIMES)]
    states = np.stack([np.asarray(x) for x in path.after], -1)
    found = np.take_along_axis(states, at[..., None], 1)
    # below 1e-9 of its largest value a state needs no digit of its own
    np.testing.assert_allclose(found, exact, rtol=2e-6, atol=1e-9)


def test_the_tolerant_solver_agrees(three: Receptor, exact: np.ndarray) -> None:
    """From dose to dose at a tolerance of 1e-8: an error of some times that."""
    events = build_mesh(schedule(3), declared_dosing(Receptor))
    stepper = Adaptive(1e-8, 1e-8, solver=Rodas())
    found = jax.jit(lambda m, g: predict(m, schedule(3), g, stepper))(three, events)
    assert not np.asarray(found.status).any()
    np.testing.assert_allclose(concentrations(found), exact[:, :, 1], rtol=1e-6)


@pytest.mark.parametrize("name", parameters(Receptor))
def test_the_gradient_is_that_of_the_exact_solution(
    name: str, three: Receptor, mesh: Mesh
) -> None:
    """Reverse mode against central differences of Radau: steps of 1e-3 are off by
    1e-6 of the third derivative, the mesh by some times 1e-6."""

    def total(value: jax.Array) -> jax.Array:
        model = eqx.tree_at(lambda m: getattr(m, name), three, value)
        return jnp.sum(jnp.log(concentrations(PREDICT(model, mesh))[0]))

    usual = getattr(three, name)
    slope = float(jax.grad(total)(usual)[0] * usual[0])

    def by_scipy(factor: float) -> float:
        value = usual.at[0].multiply(factor)
        model = eqx.tree_at(lambda m: getattr(m, name), three, value)
        return float(np.log(by_radau(model, 0)[:, 1]).sum())

    expected = (by_scipy(1.001) - by_scipy(0.999)) / 2e-3
    assert slope == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_padding_is_invisible(three: Receptor, mesh: Mesh) -> None:
    """Steps of length zero at the end, and one within, of value and gradient."""
    inner = np.asarray(mesh.clock)[:, 1:-1]
    extra = [np.unique(row) for row in inner]
    same = build_mesh(schedule(3), declared_dosing(Receptor), extra)
    wide = jax.tree.map(lambda x: np.asarray(x), same)
    padded = eqx.tree_at(
        lambda m: (m.clock, m.order, m.action, m.dose),
        wide,
        tuple(
            np.pad(x, ((0, 0), (0, 40)), mode="edge")
            for x in (wide.clock, wide.order, wide.action, wide.dose)
        ),
    )
    twice = eqx.tree_at(
        lambda m: (m.clock, m.at),
        padded,
        (np.insert(padded.clock[:, :-1], 9, padded.clock[:, 8], 1), padded.at + 1),
    )
    action = np.insert(padded.action[:, :-1], 9, 0, 1)
    dose = np.insert(padded.dose[:, :-1], 9, 0, 1)
    twice = eqx.tree_at(lambda m: (m.action, m.dose), twice, (action, dose))

    def total(model: Receptor, grid: Mesh) -> jax.Array:
        return jnp.sum(jnp.log(concentrations(PREDICT(model, grid))))

    plain = jax.value_and_grad(total)(three, same)
    for grid in (padded, twice):
        found = jax.value_and_grad(total)(three, grid)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), found, plain
        )


def test_a_failed_patient_is_a_status_and_leaves_the_others_as_they_are(
    three: Receptor, mesh: Mesh
) -> None:
    """Rates beyond any number: the linear systems are not finite."""
    broken = eqx.tree_at(lambda m: m.kon, three, three.kon.at[1].set(1e308))

    def total(model: Receptor) -> tuple[jax.Array, Prediction]:
        found = PREDICT(model, mesh)
        solved = (found.status == 0)[:, None]
        return jnp.sum(jnp.where(solved, concentrations(found), 0.0)), found

    both = jax.value_and_grad(total, has_aux=True)
    (_, found), gradient = both(broken)
    (_, whole), expected = both(three)
    assert list(np.asarray(found.status)) == [0, SolveStatus.not_finite, 0]
    others = np.array([0, 2])
    for name in parameters(Receptor):
        got = np.asarray(getattr(gradient, name))
        assert np.isfinite(got).all(), name
        np.testing.assert_array_equal(
            got[others], np.asarray(getattr(expected, name))[others]
        )
    np.testing.assert_array_equal(
        concentrations(found)[others], concentrations(whole)[others]
    )


def test_a_tumour_at_its_capacity_in_long_steps() -> None:
    """Where explicit steps swing and fall to 1e-(1e10) cells (`test_lost`): by steps of
    8 d at rates up to 0.5/d all three get to capacity and stay there. The bend, within
    a step or two of the fastest, is off by 0.11 of 27."""
    path = course(Rosenbrock())
    assert not np.asarray(path.status).any()
    logarithm = np.asarray(path.after.l)
    np.testing.assert_allclose(logarithm[:, -1], at_the_end(GROWTH), rtol=1e-6)
    assert np.all(np.diff(logarithm, axis=1) > -1e-12)


def test_calibrated_steps_go_through_the_bend() -> None:
    """Steps of a day there, of more than four times the stable length afterwards."""
    plan = schedule_of([[other(0.0), *seen(10.0, 20.0, 200.0)]], LogTumour)
    model, dosing = LogTumour(g=jnp.array([0.5])), declared_dosing(LogTumour)
    mesh = calibrate([model], plan, dosing, 1e-6, STEPPER)
    path = jax.jit(lambda m, g: solve(m, plan, g, STEPPER))(model, mesh)
    clock = np.asarray(mesh.clock)[0]
    exact = LOG_CAPACITY - np.log1p(
        np.expm1(LOG_CAPACITY - LOG_START) * np.exp(-0.5 * clock)
    )
    np.testing.assert_allclose(np.asarray(path.after.l)[0], exact, rtol=3e-6)
    assert np.diff(clock).max() > 4 * 2.5 / 0.5


class Three(NamedTuple):
    a: Scalar
    b: Scalar
    c: Scalar


class Robertson(AbstractModel):
    """Robertson 1966: an autocatalytic reaction, rates 0.04, 3e7 and 1e4."""

    time = "s"
    doses = {}
    outputs = {"a": "", "b": "", "c": ""}
    slow: Scalar = parameter("1/s", "first reaction", "Robertson 1966")

    def initial(self, inputs: Inputs) -> Three:
        none = jnp.zeros_like(self.slow)
        return Three(none + 1.0, none, none)

    def dose(self, state: Three, name: str, amount: Scalar) -> Three:
        return state

    def rates(self, t: Scalar, state: Three, inputs: Inputs) -> Three:
        first = self.slow * state.a - 1e4 * state.b * state.c
        return Three(-first, first - 3e7 * state.b**2, 3e7 * state.b**2)

    def observe(self, t: Scalar, state: Three, inputs: Inputs) -> dict[str, Scalar]:
        return state._asdict()


def test_robertson() -> None:
    """Over 1e5 s, in which the fastest rate is 1e4/s: states span seven decades."""
    times = (0.4, 40.0, 4e3, 1e5)
    records: list[Record] = [other(0.0), *seen(*times)]
    plan = schedule_of([records], Robertson)
    model = Robertson(slow=jnp.array([0.04]))
    mesh = calibrate([model], plan, declared_dosing(Robertson), 1e-6, STEPPER)
    found = jax.jit(lambda m, g: predict(m, plan, g, STEPPER))(model, mesh)
    assert int(found.status[0]) == 0

    def rates(t: float, y: np.ndarray) -> list[float]:
        first, second = 0.04 * y[0] - 1e4 * y[1] * y[2], 3e7 * y[1] ** 2
        return [-first, first - second, second]

    made: Any = solve_ivp(
        rates, (0, times[-1]), [1.0, 0.0, 0.0], "Radau", times, rtol=1e-10, atol=1e-15
    )
    for expected, name in zip(made.y, ("a", "b", "c"), strict=True):
        got = np.asarray(found.outputs[name])[0, : len(times)]
        np.testing.assert_allclose(got, expected, rtol=1e-5)
