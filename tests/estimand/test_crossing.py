"""Crossing times of exponentials and their sums, whose answers are known by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from imak_pkpd.estimand import Outcome, last_down_crossing
from tests.estimand.curves import curve_of, joined, padded

DAYS = np.linspace(0.0, 20.0, 81)


def decline(rate: float, height: float = 1.0) -> jax.Array:
    return curve_of(lambda t: height * jnp.exp(-rate * t), DAYS)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.floats(0.3, 3.0), st.floats(1e-2, 10.0), st.floats(1e-4, 1e-3))
def test_exponential_decline(rate: float, height: float, limit: float) -> None:
    """T = ln(height/limit)/rate: the logarithm of an exponential is its own cubic."""
    found = last_down_crossing(decline(rate, height), jnp.asarray(limit), jnp.zeros(()))
    assert int(found.outcome) == (
        Outcome.crossed if np.log(height / limit) / rate <= 20 else Outcome.not_crossed
    )
    if int(found.outcome) == Outcome.crossed:
        assert float(found.time) == pytest.approx(
            np.log(height / limit) / rate, rel=1e-9
        )


def test_gradient_of_the_time() -> None:
    """dT/d rate = -T/rate, dT/d ln limit = -1/rate; second derivatives not asked."""

    def time(rate: jax.Array, log_limit: jax.Array) -> jax.Array:
        curve = curve_of(lambda t: jnp.exp(-rate * t), DAYS)
        return last_down_crossing(curve, jnp.exp(log_limit), jnp.zeros(())).time

    rate, log_limit = 0.7, np.log(1e-3)
    slopes = jax.grad(time, (0, 1))(rate, log_limit)
    assert float(slopes[0]) == pytest.approx(log_limit / rate**2, rel=1e-9)
    assert float(slopes[1]) == pytest.approx(-1 / rate, rel=1e-9)


def test_three_outcomes() -> None:
    """Never above; still above at the end; a time is given for the third alone."""
    low, high = jnp.asarray(2.0), jnp.asarray(1e-9)
    never = last_down_crossing(decline(0.5), low, jnp.zeros(()))
    still = last_down_crossing(decline(0.5), high, jnp.zeros(()))
    assert (int(never.outcome), int(still.outcome)) == (0, 2)
    assert np.isnan(never.time)
    assert np.isnan(still.time)


def test_the_last_of_several_falls_counts_from_the_start() -> None:
    """A second infusion at day 5: back to 1, then down again; counted from day 5."""
    first = curve_of(lambda t: jnp.exp(-2.0 * t), np.linspace(0.0, 5.0, 41))
    second = curve_of(lambda t: jnp.exp(-1.0 * (t - 5.0)), np.linspace(5.0, 20.0, 61))
    curve = padded(joined(first, second), 7)
    found = last_down_crossing(curve, jnp.asarray(1e-3), jnp.asarray(5.0))
    assert int(found.outcome) == Outcome.crossed
    assert float(found.time) == pytest.approx(np.log(1e3), rel=1e-9)


def test_a_reset_is_a_crossing_at_its_time() -> None:
    """The quantity jumps from 1 to nothing at day 4."""
    level = curve_of(jnp.ones_like, np.linspace(0.0, 4.0, 9))
    nothing = curve_of(jnp.zeros_like, np.linspace(4.0, 9.0, 11))
    found = last_down_crossing(joined(level, nothing), jnp.asarray(0.01), jnp.zeros(()))
    assert int(found.outcome) == Outcome.crossed
    assert float(found.time) == 4.0


def test_what_was_above_before_the_start_does_not_count() -> None:
    found = last_down_crossing(decline(3.0), jnp.asarray(0.1), jnp.asarray(10.0))
    assert int(found.outcome) == Outcome.never_above


def test_the_gradient_is_finite_where_there_is_no_time() -> None:
    """Values of zero, of e^-810 and of e^-1500, and a curve that never falls."""

    def time(height: jax.Array) -> jax.Array:
        curves = [
            curve_of(lambda t: height * jnp.exp(-9.0 * t), np.linspace(0.0, 90.0, 181)),
            curve_of(lambda t: height * jnp.exp(-300.0 * t), np.linspace(0.0, 5.0, 11)),
            joined(
                curve_of(jnp.zeros_like, np.linspace(0.0, 1.0, 3)),
                curve_of(lambda t: height + 0 * t, np.linspace(1.0, 2.0, 3)),
            ),
        ]
        found = [
            last_down_crossing(c, jnp.asarray(0.01), jnp.zeros(())) for c in curves
        ]
        return sum(jnp.where(f.outcome == 1, f.time, 0.0) for f in found)

    value, slope = jax.value_and_grad(time)(1.0)
    # ln(100)/9 and ln(100)/300, each with slope 1/rate; the third does not cross
    assert float(value) == pytest.approx(np.log(100) * (1 / 9 + 1 / 300), rel=1e-6)
    assert float(slope) == pytest.approx(1 / 9 + 1 / 300, rel=1e-6)
