"""The Rosenbrock step alone: its order, where it is stiff too, and its embedded error.

Order conditions from Hairer & Wanner 1996, Solving ODEs II, table IV.7.1.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from imak_pkpd.solve.rosenbrock import RODAS, rosenbrock_step
from imak_pkpd.solve.tableau import Field


def coefficients() -> tuple[np.ndarray, np.ndarray]:
    """α_ij and γ_ij of the method, γ on the diagonal, from its transformed ones."""
    stages = len(RODAS.stages)
    a, c = np.zeros((stages, stages)), np.zeros((stages, stages))
    for i, (row, coupling) in enumerate(
        zip(RODAS.stages, RODAS.couplings, strict=True)
    ):
        a[i, :i], c[i, :i] = row, coupling
    gamma = np.linalg.inv(np.eye(stages) / RODAS.gamma - c)
    return a @ gamma, gamma


def weights() -> tuple[np.ndarray, np.ndarray]:
    """Of the solution, which is the last stage and its move, and of the embedded one,
    which is the last stage."""
    alpha, gamma = coefficients()
    return alpha[-1] + gamma[-1], alpha[-1]


def conditions(b: np.ndarray) -> dict[str, float]:
    """What each order condition misses its value by."""
    alpha, gamma = coefficients()
    beta, a = alpha + gamma, alpha.sum(1)
    bs = beta.sum(1)
    return {
        "1": b.sum() - 1,
        "2": b @ bs - 1 / 2,
        "3a": b @ a**2 - 1 / 3,
        "3b": b @ beta @ bs - 1 / 6,
        "4a": b @ a**3 - 1 / 4,
        "4b": b @ (a * (alpha @ bs)) - 1 / 8,
        "4c": b @ beta @ a**2 - 1 / 12,
        "4d": b @ beta @ beta @ bs - 1 / 24,
    }


def test_the_order_conditions() -> None:
    """Coefficients have 16 digits and sums up to 55: 1e-13. The embedded solution is
    of order 3 and no more, else its difference were no error."""
    solution, embedded = weights()
    missed = conditions(solution)
    assert max(map(abs, missed.values())) < 1e-13, missed
    missed = conditions(embedded)
    assert max(abs(v) for k, v in missed.items() if k[0] != "4") < 1e-13, missed
    assert abs(missed["4a"]) > 0.01


def test_times_and_slopes_are_the_sums_of_the_rows() -> None:
    alpha, gamma = coefficients()
    np.testing.assert_allclose(alpha.sum(1), RODAS.nodes, atol=1e-13)
    np.testing.assert_allclose(gamma.sum(1), RODAS.slopes, atol=1e-13)


def test_it_damps_what_is_infinitely_fast() -> None:
    """R(∞) = 0 = 1 - b B^-1 1 (L-stable), of both solutions; |R(iy)| <= 1 up to 1e6."""
    alpha, gamma = coefficients()
    beta, ones = alpha + gamma, np.ones(len(alpha))
    for b in weights():
        assert abs(1 - b @ np.linalg.solve(beta, ones)) < 1e-12
    b = weights()[0]
    for y in np.geomspace(1e-3, 1e6, 200):
        z = 1j * y
        grown = 1 + z * b @ np.linalg.solve(np.eye(len(ones)) - z * beta, ones)
        assert abs(grown) <= 1 + 1e-12


def marched(field: Field, start: list[float], end: float, steps: int) -> Array:
    h = end / steps

    def one(y: Array, i: Array) -> tuple[Array, None]:
        t, length = i * h, jnp.asarray(h)
        return rosenbrock_step(RODAS, field, t, y, length)[0], None

    march = lambda y: jax.lax.scan(one, y, jnp.arange(float(steps)))[0]  # noqa: E731
    return jax.jit(march)(jnp.asarray(start))


def test_fourth_order_where_rates_change_with_time() -> None:
    """y' = -y² cos t, y = 1/(1 + sin t): halving the step divides the error by 16."""
    field = lambda t, y: -(y**2) * jnp.cos(t)  # noqa: E731
    exact = 1 / (1 + np.sin(1.0))
    counts = (20, 40, 80, 160)  # the last is off by 2e-13, far above rounding
    errors = [abs(float(marched(field, [1.0], 1.0, n)[0]) - exact) for n in counts]
    halved = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(np.abs(halved - 4) < [0.6, 0.2, 0.1]), halved


def test_a_solution_that_is_forced_from_outside_is_followed_however_fast() -> None:
    """Prothero & Robinson 1974: y' = -1e6 (y - cos t) - sin t, whose solution is cos t.

    The order falls, to 2 or more as that of the stages' error in t; an explicit method
    needs 8e5 steps here.
    """
    field = lambda t, y: -1e6 * (y - jnp.cos(t)) - jnp.sin(t)  # noqa: E731
    counts = (8, 16, 32)
    found = [float(marched(field, [1.0], 2.0, n)[0]) for n in counts]
    errors = np.abs(np.array(found) - np.cos(2.0))
    assert np.all(errors < 0.01 / np.array(counts) ** 2), errors


def test_a_step_of_length_zero_changes_nothing() -> None:
    """Neither the value nor, but for that of the length, any derivative."""
    field = lambda t, y: -1e6 * y * jnp.exp(t)  # noqa: E731
    y = jnp.array([0.3, 1e8])
    step = lambda y, h: rosenbrock_step(RODAS, field, jnp.asarray(0.0), y, h)[0]  # noqa: E731
    np.testing.assert_array_equal(step(y, jnp.asarray(0.0)), y)
    by_state, by_length = jax.jacrev(step, (0, 1))(y, jnp.asarray(0.0))
    np.testing.assert_array_equal(by_state, np.eye(2))
    np.testing.assert_allclose(by_length, field(0.0, y), rtol=1e-12)


@pytest.mark.parametrize("h", [0.1, 0.05])
def test_the_embedded_error_is_of_fourth_order_and_no_less_than_the_true(
    h: float,
) -> None:
    field = lambda t, y: -(y**2) * jnp.cos(t)  # noqa: E731
    start = jnp.ones(1)

    def both(h: float) -> tuple[float, float]:
        made, error = rosenbrock_step(
            RODAS, field, jnp.asarray(0.0), start, jnp.asarray(h)
        )
        return abs(float(error[0])), abs(float(made[0]) - 1 / (1 + np.sin(h)))

    (said, true), (half, _) = both(h), both(h / 2)
    assert said > true
    assert np.log2(said / half) == pytest.approx(4, abs=0.4)
