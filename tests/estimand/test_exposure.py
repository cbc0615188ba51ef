"""Time above a level, area and peak of functions whose answers are known by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from imak_pkpd.estimand import area, peak, time_above
from imak_pkpd.solve.curve import value_at
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
