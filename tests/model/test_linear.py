"""Exact propagation against 60-digit matrix exponentials of hand-written matrices."""

from collections.abc import Mapping, Sequence
from functools import cache
from math import cos, sin
from pathlib import Path

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.integrate import solve_ivp

from imak_pkpd.model import Inputs, flow, load_model, propagate
from imak_pkpd.model.doubling import DOUBLINGS, SMALL, doubled

Parameters = Mapping[str, float]

EXACT = 1e-10  # what the closed form owes at every record of the exact cases
DIGITS = 60  # a squaring chain of 2^30 loses about 10 of them

PK1 = {"CL": 4.0, "V1": 70.0}
PK2 = {"CL": 4.0, "V1": 30.0, "Q2": 8.0, "V2": 90.0}
PK3 = {"CL": 4.0, "V1": 10.0, "Q2": 8.0, "V2": 30.0, "Q3": 1.0, "V3": 150.0}
TWINS = PK3 | {"Q3": 8.0, "V3": 30.0}
K_OF_PK1 = 4.0 / 70.0
SYSTEMS: list[tuple[str, Parameters]] = [
    ("pk1_iv", PK1),
    ("pk1_iv", PK1 | {"CL": 1e-6}),  # half-life of 5,500 years
    ("pk1_oral", PK1 | {"KA": 1.2}),
    ("pk1_oral", PK1 | {"KA": K_OF_PK1}),
    ("pk1_oral", PK1 | {"KA": K_OF_PK1 * (1 + 1e-9)}),
    ("pk1_oral", PK1 | {"KA": 0.05, "CL": 35.0}),
    ("pk1_oral", PK1 | {"KA": 500.0}),
    ("pk2_iv", PK2),
    ("pk2_iv", PK2 | {"Q2": 1e-7}),
    ("pk2_oral", PK2 | {"KA": 0.9}),
    ("pk3_iv", PK3),
    ("pk3_iv", TWINS),
    ("pk3_oral", PK3 | {"KA": 0.7}),
    ("pk3_oral", TWINS | {"KA": 8.0 / 30.0}),  # KA equal to a peripheral rate
]
HOURS = [1e-6, 0.25, 1.0, 24.0, 300.0, 5000.0]


def matrix(name: str, p: Parameters) -> Sequence[Sequence[mp.mpf]]:
    """K of the textbook equations: depot if oral, central, peripherals."""
    oral, sides = name.endswith("oral"), range(2, int(name[2]) + 1)
    size, c = oral + len(sides) + 1, int(oral)
    q = {k: mp.mpf(v) for k, v in p.items()}
    K = [[mp.mpf(0)] * size for _ in range(size)]
    K[c][c] = -(q["CL"] + sum(q[f"Q{k}"] for k in sides)) / q["V1"]
    if oral:
        K[0][0], K[c][0] = -q["KA"], q["KA"]
    for j, k in enumerate(sides, c + 1):
        K[j][c], K[c][j] = q[f"Q{k}"] / q["V1"], q[f"Q{k}"] / q[f"V{k}"]
        K[j][j] = -K[c][j]
    return K


def truth(
    K: Sequence[Sequence[mp.mpf]], b: Sequence[float], x: Sequence[float], dt: float
) -> list[mp.mpf]:
    """x(dt) of x' = K x + b, from the exponential of the augmented matrix."""
    size = len(b)
    with mp.workdps(DIGITS):
        A = mp.zeros(size + 1)
        for i in range(size):
            A[i, size] = mp.mpf(float(b[i])) * mp.mpf(dt)
            for j in range(size):
                A[i, j] = mp.mpf(K[i][j]) * mp.mpf(dt)
        E = exponential(A)
        return [
            sum(E[i, j] * mp.mpf(float(x[j])) for j in range(size)) + E[i, size]
            for i in range(size)
        ]


def exponential(A: mp.matrix) -> mp.matrix:
    """Taylor series of A / 2^s, squared s times."""
    halvings = max(0, int(mp.log(mp.norm(A, 1) + 1, 2))) + 10
    small = A / mp.mpf(2) ** halvings
    E = term = mp.eye(A.rows)
    for k in range(1, 20):  # (2^-10)^20 / 20! < 1e-78
        term = term * small / k
        E = E + term
    for _ in range(halvings):
        E = E * E
    return E


def error(found: Sequence[jax.Array], true: Sequence[mp.mpf]) -> float:
    """The largest relative error of an entry; absolute below 1e-290 (no floats)."""
    return max(
        float(abs(mp.mpf(float(f)) - t) / max(abs(t), mp.mpf(1e-290)))
        for f, t in zip(found, true, strict=True)
    )


class Shipped:
    """A shipped model with every state and infusion non-zero; compiled once."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.model = load_model(root / "models" / f"{name}.py")
        rates = dict(zip(self.model.doses, (7.0, 3.0), strict=False))
        size = int(name[2]) + name.endswith("oral")
        self.start = [100.0, 20.0, 5.0, 40.0][:size]
        self.b = [*rates.values(), 0.0, 0.0, 0.0][:size]
        self.inputs = Inputs({k: jnp.asarray(v) for k, v in rates.items()}, {})
        self.after = jax.jit(self._after)
        self.gradient = jax.jit(jax.grad(self._log_amounts))
        self.hessian = jax.jit(jax.hessian(self._log_amounts))

    def _after(self, parameters: Mapping[str, jax.Array], dt: float) -> tuple:
        model = self.model(**parameters)
        state = type(model.initial(self.inputs))(*map(jnp.asarray, self.start))
        return propagate(model, jnp.zeros(()), state, self.inputs, jnp.asarray(dt))

    def _log_amounts(self, parameters: Mapping[str, jax.Array], dt: float) -> jax.Array:
        return sum(map(jnp.log, self._after(parameters, dt)), jnp.zeros(()))


@cache
def shipped(root: Path, name: str) -> Shipped:
    return Shipped(root, name)


class Case:
    """A shipped model at given parameters, and what is true of it."""

    def __init__(self, root: Path, name: str, parameters: Parameters) -> None:
        self.of = shipped(root, name)
        self.parameters = {k: jnp.asarray(v) for k, v in parameters.items()}

    def true(self, parameters: Parameters, dt: float) -> list[mp.mpf]:
        return truth(matrix(self.of.name, parameters), self.of.b, self.of.start, dt)

    def true_log_amounts(self, parameters: Parameters, dt: float) -> mp.mpf:
        return mp.fsum(map(mp.log, self.true(parameters, dt)))


@pytest.fixture(params=SYSTEMS, ids=lambda s: f"{s[0]}-{SYSTEMS.index(s)}")
def case(request: pytest.FixtureRequest, root: Path) -> Case:
    return Case(root, *request.param)


def moved(case: Case, steps: Mapping[str, mp.mpf]) -> Parameters:
    """The parameters, each times 1 + its step."""
    return {
        k: mp.mpf(float(v)) * (1 + steps.get(k, 0)) for k, v in case.parameters.items()
    }


def test_amounts_after_an_interval(case: Case) -> None:
    for dt in HOURS:
        true = case.true(moved(case, {}), dt)
        assert error(case.of.after(case.parameters, dt), true) < EXACT, dt


def test_no_time_changes_nothing(case: Case) -> None:
    assert [float(x) for x in case.of.after(case.parameters, 0.0)] == case.of.start


@pytest.mark.parametrize("dt", [0.25, 24.0])
def test_gradients(case: Case, dt: float) -> None:
    """Reverse mode against differences in 60 digits, relative to each parameter."""
    found = case.of.gradient(case.parameters, dt)
    with mp.workdps(DIGITS):
        step = mp.mpf(10) ** -20  # error of a central difference: its square
        for name, value in case.parameters.items():
            high, low = (
                case.true_log_amounts(moved(case, {name: s}), dt) for s in (step, -step)
            )
            true = float((high - low) / (2 * step))
            assert float(found[name] * value) == pytest.approx(
                true, rel=1e-9, abs=1e-11
            )


@pytest.mark.parametrize("excess", [0.0, 1e-9, 0.5])
def test_second_derivatives_at_equal_rates(root: Path, excess: float) -> None:
    """Laplace needs the Hessian where KA = k, too."""
    case = Case(root, "pk1_oral", PK1 | {"KA": K_OF_PK1 * (1 + excess)})
    found = case.of.hessian(case.parameters, 12.0)
    value = {k: float(v) for k, v in case.parameters.items()}
    with mp.workdps(DIGITS):
        h = mp.mpf(10) ** -15
        for p in value:
            for q in value:
                corners = [
                    a
                    * b
                    * case.true_log_amounts(moved(case, add(p, a * h, q, b * h)), 12.0)
                    for a in (1, -1)
                    for b in (1, -1)
                ]
                true = float(mp.fsum(corners) / (4 * h**2))
                assert float(found[p][q]) * value[p] * value[q] == pytest.approx(
                    true, rel=1e-9, abs=1e-11
                )


def add(p: str, a: mp.mpf, q: str, b: mp.mpf) -> dict[str, mp.mpf]:
    return {p: a + b} if p == q else {p: a, q: b}


def test_against_an_ode_solver(case: Case) -> None:
    """The rates as written, solved by scipy: same law, not only same matrix."""
    inputs, model = case.of.inputs, case.of.model(**case.parameters)
    states = type(model.initial(inputs))
    rates = jax.jit(lambda y: jnp.stack(model.rates(jnp.zeros(()), states(*y), inputs)))
    solved = solve_ivp(
        lambda t, y: rates(y), (0, 6.0), case.of.start, "LSODA", rtol=1e-10, atol=1e-10
    )
    assert np.allclose(case.of.after(case.parameters, 6.0), solved.y[:, -1], rtol=1e-7)


rate = st.floats(-3.0, 3.0).map(lambda x: 10.0**x)


@st.composite
def compartments(draw: st.DrawFn) -> np.ndarray:
    """Any net of 1 to 5 compartments that lose what they hand on, and more."""
    size = draw(st.integers(1, 5))
    K = np.array(
        [[draw(rate | st.just(0.0)) for _ in range(size)] for _ in range(size)]
    )
    np.fill_diagonal(K, 0.0)
    out = np.array([draw(rate) for _ in range(size)])
    return K - np.diag(K.sum(0) + out)


@settings(max_examples=30, deadline=None)  # a new size compiles once
@given(compartments(), rate, st.integers(-6, 6))
def test_any_net_of_compartments(K: np.ndarray, dt: float, units: int) -> None:
    """Every entry to 1e-15 per time constant, whatever the units of a state."""
    scale = np.ones(len(K))
    scale[0] = 10.0**units
    scaled = scale[:, None] * K / scale
    reach = np.abs(np.diag(K)).max() * dt
    b = scale * np.arange(1.0, len(K) + 1)
    E, v = jax.jit(doubled)(jnp.asarray(scaled), jnp.asarray(b), jnp.asarray(dt))
    start = scale * np.arange(len(K), 0.0, -1.0)
    found = np.asarray(E) @ start + np.asarray(v)
    if reach < SMALL * 2.0**DOUBLINGS / 20:  # the bound on the norm is not tight
        true = truth(scaled.tolist(), b.tolist(), start.tolist(), dt)
        assert error(found, true) < 4e-15 * max(10.0, reach)


def test_a_rotation() -> None:
    """Complex eigenvalues: x'' = -x."""
    K = jnp.array([[0.0, 1.0], [-1.0, 0.0]])
    E, v = doubled(K, jnp.array([0.0, 1.0]), jnp.asarray(10.0))
    assert np.allclose(E, [[cos(10), sin(10)], [-sin(10), cos(10)]], atol=1e-14)
    assert np.allclose(v, [1 - cos(10), sin(10)], atol=1e-14)


def test_too_stiff_is_nan_not_a_number_that_is_wrong() -> None:
    K = -jnp.eye(3) * 2.0 * SMALL * 2.0**DOUBLINGS
    E, _ = doubled(K, jnp.ones(3), jnp.ones(()))
    assert jnp.all(jnp.isnan(jnp.diag(E)))


def test_lanes_and_steps_give_the_same(root: Path) -> None:
    """Under vmap, scan and reverse mode: the same numbers as one interval at a time."""
    case = Case(root, "pk2_oral", PK2 | {"KA": 0.9})
    steps = np.array([0.1, 0.0, 700.0, 3.0])  # doubled 0 to 10 times
    grad = case.of.gradient
    lanes = jax.jit(jax.vmap(grad, (None, 0)))(case.parameters, jnp.asarray(steps))
    for lane, dt in enumerate(steps):
        alone = grad(case.parameters, dt)
        for name in case.parameters:
            assert lanes[name][lane] == pytest.approx(float(alone[name]), rel=1e-12)


def test_flow_of_two_intervals_is_the_flow_of_both(case: Case) -> None:
    inputs, model = case.of.inputs, case.of.model(**case.parameters)
    state = model.initial(inputs)
    over = jax.jit(lambda dt: flow(model, jnp.zeros(()), state, inputs, dt))
    first, second, both = map(over, (2.0, 5.0, 7.0))
    assert np.allclose(second.matrix @ first.matrix, both.matrix, rtol=1e-12)
    constant = second.matrix @ first.constant + second.constant
    assert np.allclose(constant, both.constant, rtol=1e-12)
