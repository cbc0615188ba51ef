"""Time above a level, area and peak of functions whose answers are known by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from imak_pkpd.estimand import area, peak, time_above
from imak_pkpd.solve.curve import Curve, positive_value_at, until, value_at
from tests.estimand.curves import curve_of, joined, padded

DAYS = np.linspace(0.0, 12.0, 49)
ZERO = jnp.zeros(())


def cubic(t: jax.Array) -> jax.Array:
    """Its Hermite cubic is itself: 0 at 0, a top of 32 at 2, 0 at 6."""
    return t * (t - 6.0) ** 2


def test_a_cubic_is_exact() -> None:
    """Area by its antiderivative; above 25 between the roots of t (t - 6)² = 25."""
    curve = padded(curve_of(cubic, DAYS), 5)
    antiderivative = lambda t: t**4 / 4 - 4 * t**3 + 18 * t**2  # noqa: E731
    assert float(area(curve, ZERO)) == pytest.approx(antiderivative(12.0), rel=1e-12)
    top = peak(curve_of(cubic, np.linspace(0.0, 6.0, 14)), ZERO)  # 2 is not a node
    assert (float(top.value), float(top.time)) == pytest.approx((32.0, 2.0), rel=1e-12)
    roots = np.sort(np.roots([1.0, -12.0, 36.0, -25.0]).real)
    expected = roots[1] - roots[0] + 12.0 - roots[2]
    found = time_above(curve, jnp.asarray(25.0), ZERO)
    assert float(found) == pytest.approx(expected, rel=1e-9)
    some = np.array([0.1, 3.3, 11.9, 12.0, 50.0])
    np.testing.assert_allclose(
        value_at(curve, jnp.asarray(some)), cubic(np.minimum(some, 12.0)), atol=1e-12
    )


def test_gradient_of_the_time_above() -> None:
    """Of h e^-t above a level: ln(h/level), so the slope by h is 1/h."""

    def above(height: jax.Array) -> jax.Array:
        curve = curve_of(lambda t: height * jnp.exp(-t), np.linspace(0.0, 12.0, 481))
        return time_above(curve, jnp.asarray(0.05), ZERO)

    value, slope = jax.value_and_grad(above)(3.0)
    # the cubic of an exponential over 0.025 d is off by 0.025⁴/384 = 1e-9 of itself
    assert float(value) == pytest.approx(np.log(60.0), abs=1e-8)
    assert float(slope) == pytest.approx(1 / 3, rel=1e-6)


def test_only_what_follows_the_start_counts() -> None:
    curve = curve_of(jnp.ones_like, DAYS)
    assert float(area(curve, jnp.asarray(9.0))) == pytest.approx(3.0)
    assert float(time_above(curve, jnp.asarray(0.5), jnp.asarray(9.0))) == 3.0
    top = peak(curve_of(cubic, DAYS), jnp.asarray(6.0))
    assert float(top.time) == 12.0  # 432, higher than the hump at 2


def test_nothing_negative_under_a_fall_that_no_node_saw() -> None:
    """e^-5t on nodes 4 apart: the cubic itself has the area 2 - 80/12 < 0."""
    curve = curve_of(lambda t: jnp.exp(-5.0 * t), np.arange(0.0, 13.0, 4.0))
    found = float(area(curve, ZERO))
    assert 1 / 5 < found < 4 / 2  # the truth, and the straight line
    inside = np.linspace(0.0, 12.0, 101)
    assert (positive_value_at(curve, jnp.asarray(inside)) >= 0).all()
    fine = curve_of(lambda t: jnp.exp(-5.0 * t), np.linspace(0.0, 12.0, 481))
    # resolved, nothing moves: (5/40)^4/720 of the area is the error of the cubic
    assert float(area(fine, ZERO)) == pytest.approx(0.2, rel=1e-6)


@pytest.mark.parametrize("step", [0.9, 1.8])
def test_a_peak_where_a_cubic_comes_to_rest(step: float) -> None:
    """step (1 - (1 - t)³) with no more than rounding of a fall at its end.

    Both places at which it is level are 1; the square under their root is below 0.
    """
    value = jnp.asarray([0.0, step])
    slope = jnp.asarray([3 * step, -1e-120])
    found = peak(Curve(jnp.arange(2.0), value, slope, value, slope), ZERO)
    assert float(found.value) == pytest.approx(step, rel=1e-12)


@pytest.mark.parametrize("low", [1e-90, 1e-160, 1e-200, 1e-300])
def test_the_slope_of_a_peak_before_what_has_died_out(low: float) -> None:
    """All is proportional to x: so is the peak. The hump at the end is so small that
    its square is no number; it used to leave NaN in the slope."""

    def top(x: jax.Array) -> jax.Array:
        value = x * jnp.asarray([0.0, 2.0, low, 1.1 * low])
        slope = x * jnp.asarray([4.0, -1.0, low, -low])
        return peak(Curve(jnp.arange(4.0), value, slope, value, slope), ZERO).value

    value, slope = jax.value_and_grad(top)(jnp.asarray(1.5))
    assert float(value) > 3.0
    assert float(slope) == pytest.approx(float(value) / 1.5, rel=1e-12)
    forward = jax.jvp(top, (jnp.asarray(1.5),), (jnp.ones(()),))[1]
    assert float(forward) == pytest.approx(float(slope), rel=1e-12)


def test_no_slope_elsewhere_spreads_to_the_peak() -> None:
    """√max(x - 1, 0) at x = 1 has none: at the last node, which is not the highest."""

    def top(x: jax.Array) -> jax.Array:
        value = jnp.stack([x, 3.0 * x, jnp.sqrt(jnp.maximum(x - 1.0, 0.0))])
        level = jnp.zeros(3)
        return peak(Curve(jnp.arange(3.0), value, level, value, level), ZERO).value

    assert float(jax.jvp(top, (jnp.ones(()),), (jnp.ones(()),))[1]) == 3.0


def test_a_curve_up_to_a_time() -> None:
    """Part of a cubic is itself: area and end of `cubic` up to 5, between two nodes."""
    curve = until(curve_of(cubic, np.linspace(0.0, 12.0, 7)), jnp.asarray(5.0))
    antiderivative = lambda t: t**4 / 4 - 4 * t**3 + 18 * t**2  # noqa: E731
    assert float(area(curve, ZERO)) == pytest.approx(antiderivative(5.0), rel=1e-12)
    assert float(curve.after[-1]) == pytest.approx(5.0)
    assert float(peak(curve, jnp.asarray(4.0)).value) == pytest.approx(16.0)


def test_a_peak_at_a_jump() -> None:
    """An infusion at day 3 lifts the quantity to 5: the peak is there, after it."""
    low = curve_of(lambda t: jnp.exp(-t), np.linspace(0.0, 3.0, 13))
    high = curve_of(lambda t: 5.0 * jnp.exp(-(t - 3.0)), np.linspace(3.0, 9.0, 25))
    top = peak(joined(low, high), ZERO)
    assert (float(top.value), float(top.time)) == (5.0, 3.0)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.floats(0.2, 5.0), st.floats(0.05, 0.9), st.integers(5, 60))
def test_the_peak_of_two_exponentials(fast: float, part: float, nodes: int) -> None:
    """e^-kt - e^-Kt is highest at ln(K/k)/(K - k), and never lower than any node."""
    slow = part * fast
    shape = lambda t: jnp.exp(-slow * t) - jnp.exp(-fast * t)  # noqa: E731
    curve = curve_of(shape, np.linspace(0.0, 12.0 / fast, nodes))
    top = peak(curve, ZERO)
    when = np.log(fast / slow) / (fast - slow)
    assert float(top.value) >= float(curve.after.max())
    # the cubic's error is (K h)⁴/384 at worst, of values up to 1
    error = (12.0 / (nodes - 1)) ** 4 / 384
    if when < 12.0 / fast:
        assert float(top.value) == pytest.approx(float(shape(when)), abs=error)
