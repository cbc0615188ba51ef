"""Outcomes as probabilities, against SciPy at the values of the curve."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from imak_pkpd.estimand import (
    AreaEstimand,
    NegativeEstimand,
    Reading,
    RemissionEstimand,
    ValueEstimand,
    at_most,
)
from tests.estimand.curves import curve_of

RATE, START = 0.3, 1.0
NODES = np.linspace(0.0, 20.0, 401)
VISITS = (2.0, 5.0, 9.0)


def falling(t: jax.Array) -> jax.Array:
    return 0.5 * jnp.exp(-RATE * t)


def flat(t: jax.Array) -> jax.Array:
    return 0.1 + 0.0 * t


@pytest.fixture
def reading() -> Reading:
    curves = {"share": curve_of(falling, NODES), "limit": curve_of(flat, NODES)}
    return Reading(curves, {}, jnp.asarray(START))


@pytest.mark.parametrize("below", [0.02, "limit"])
def test_remission(reading: Reading, below: float | str) -> None:
    """The lowest visit is the last; curves are cubic: 1e-6 at these nodes."""
    block = RemissionEstimand(
        kind="remission", output="share", visits=VISITS, below=below, spread=0.46
    )
    level = below if isinstance(below, float) else 0.1
    lowest = np.log(0.5) - RATE * (START + VISITS[-1])
    expected = stats.norm.cdf((np.log(level) - lowest) / 0.46)
    got = block.estimate(reading)["value"]
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert block.outputs_read.get("below", 0.02) == below


def test_negative(reading: Reading) -> None:
    block = NegativeEstimand(
        kind="negative", output="share", visits=VISITS, cells=500, cut=30
    )
    shares = 0.5 * np.exp(-RATE * (START + np.array(VISITS)))
    expected = stats.binom.cdf(30, 500, shares).mean()
    np.testing.assert_allclose(block.estimate(reading)["value"], expected, rtol=1e-6)


@pytest.mark.parametrize(("at", "time"), [(3.0, START + 3.0), (None, NODES[-1])])
def test_value(reading: Reading, at: float | None, time: float) -> None:
    block = ValueEstimand(kind="value", output="share", at=at)
    expected = 0.5 * np.exp(-RATE * time)
    np.testing.assert_allclose(block.estimate(reading)["value"], expected, rtol=1e-6)


@pytest.mark.parametrize("share", [0.0, 1e-12, 1e-3, 0.02, 0.5, 1.0 - 1e-9, 1.0])
@pytest.mark.parametrize(("cut", "scored"), [(0, 200), (3, 500), (500, 500)])
def test_at_most(share: float, cut: int, scored: int) -> None:
    """Value to 1e-10 of SciPy's; the slope is finite at both ends."""
    got, slope = jax.value_and_grad(lambda p: at_most(cut, scored, p))(share)
    expected = stats.binom.cdf(cut, scored, share)
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-14)
    assert np.isfinite(slope)


def test_definitions_say_what_is_counted() -> None:
    units = {"share": "", "time": "day"}
    negative = NegativeEstimand(
        kind="negative", output="share", visits=VISITS, cells=500, cut=3, dose="cells"
    )
    said = negative.definition(units)
    assert "at most 3 of 500" in said
    assert "day 2, 5, 9 after the last dose of cells" in said
    value = ValueEstimand(kind="value", output="share")
    assert value.definition(units) == "share (1) at the last record"
    area = AreaEstimand(kind="area", output="share", horizon=90.0)
    assert area.definition(units) == (
        "area under share (1 x day) after the last dose, up to day 90 after the last "
        "dose"
    )
