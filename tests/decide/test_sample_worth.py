"""What a reading is worth, against normal theory; and what may never matter to it."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.stats import norm

from imak_pkpd.decide.sample_worth import (
    perfect_information,
    variance_reduction,
    worth_of_choosing,
)

MANY, BLOCKS = 4000, 25


class Normals(NamedTuple):
    """theta ~ N(mean, 1), and a reading of it with a normal error."""

    theta: np.ndarray
    reading: np.ndarray
    blocks: np.ndarray


def normals(seed: int, noise: float, mean: float = 0.0, many: int = MANY) -> Normals:
    rng = np.random.default_rng(seed)
    theta = mean + rng.standard_normal(many)
    reading = theta + noise * rng.standard_normal(many)
    return Normals(theta, reading, np.arange(many) * BLOCKS // many)


@pytest.mark.parametrize("noise", [0.1, 0.5, 1.0, 3.0])
def test_a_normal_is_narrowed_by_what_is_on_paper(noise: float) -> None:
    """1/(1 + noise^2), within four of the stated errors."""
    made = normals(1, noise)
    (found,) = variance_reduction(made.theta[:, None], made.reading, made.blocks)
    assert abs(found.value - 1 / (1 + noise**2)) < 4 * found.se
    assert found.se < 0.02


def test_a_curve_is_followed() -> None:
    """theta^2 of theta known exactly: nothing is left; of its sign: all is left."""
    made = normals(2, 0.0)
    square = made.theta[:, None] ** 2
    (known,) = variance_reduction(square, made.theta, made.blocks)
    assert known.value > 0.99  # cubics through a parabola and straight ends
    (sign,) = variance_reduction(square, np.sign(made.theta), made.blocks)
    assert abs(sign.value) < 4 * sign.se


def test_below_a_limit_there_is_a_mean_of_its_own() -> None:
    """Half of the readings are at the limit. On paper E Var is the mean of the two
    conditional variances: 0 above (read exactly), 1 - 2/pi below, each half."""
    made = normals(3, 0.0)
    reading = np.maximum(made.reading, 0.0)
    (found,) = variance_reduction(made.theta[:, None], reading, made.blocks)
    assert abs(found.value - (1 - 0.5 * (1 - 2 / np.pi))) < 4 * found.se + 1e-3


def test_the_stated_error_covers() -> None:
    """Of 60 repeats 95 % are within two errors: 51 or fewer are once in 500."""
    inside = 0
    for seed in range(60):
        made = normals(100 + seed, 1.0, many=1000)
        (found,) = variance_reduction(made.theta[:, None], made.reading, made.blocks)
        inside += abs(found.value - 0.5) < 2 * found.se
    assert inside > 51


def test_the_stated_error_covers_where_nothing_is_learnt() -> None:
    """chi^2(1) is within two of its SDs 95 % of the time: 51 of 60 as above."""
    inside = 0
    for seed in range(60):
        made, other = normals(200 + seed, 1.0, many=1000), normals(300 + seed, 1.0)
        theta = other.theta[:1000, None]
        (found,) = variance_reduction(theta, made.reading, made.blocks)
        inside += abs(found.value) < 2 * found.se
    assert inside > 51


def unit_loss(mean: float, noise: float) -> float:
    """E max(0, posterior mean) - max(0, mean): the unit normal loss integral times the
    SD of the posterior mean (Raiffa & Schlaifer 1961, section 5.4)."""
    sd = 1 / np.sqrt(1 + noise**2)
    far = abs(mean) / sd
    return float(sd * (norm.pdf(far) - far * norm.sf(far)))


@pytest.mark.parametrize("mean", [0.0, -0.4, 0.8])
@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_two_actions_with_linear_utilities(mean: float, noise: float) -> None:
    made = normals(4, noise, mean)
    utilities = np.stack([np.zeros(MANY), made.theta], 1)
    against = utilities[:, int(mean > 0)]
    gain = worth_of_choosing(utilities, against, made.reading, made.blocks)
    bound = perfect_information(utilities, against, made.blocks)
    assert abs(gain.value - unit_loss(mean, noise)) < 4 * gain.se
    assert abs(bound.value - unit_loss(mean, 0.0)) < 4 * bound.se
    assert gain.se < 0.02
    assert gain.value <= bound.value


def test_where_nothing_is_open_nothing_is_gained() -> None:
    made = normals(5, 0.5)
    alone = made.theta[:, None]
    gain = worth_of_choosing(alone, made.theta, made.reading, made.blocks)
    assert gain == (0.0, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_no_gain(seed: int) -> None:
    """Twenty equal designs and a reading of nothing: no gain but for the error."""
    rng = np.random.default_rng(seed)
    utilities = rng.standard_normal((MANY, 20))
    reading = rng.standard_normal(MANY)
    blocks = np.arange(MANY) * BLOCKS // MANY
    gain = worth_of_choosing(utilities, utilities[:, 0], reading, blocks)
    assert abs(gain.value) < 4 * gain.se


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 1e6), st.floats(0.0, 0.5))
def test_order_and_unit_do_not_matter(seed: int, unit: float, limit: float) -> None:
    """Patients in another order, a reading in another unit and on a log scale."""
    made = normals(seed, 0.7, many=300)
    reading = np.maximum(made.reading, np.quantile(made.reading, limit))
    quantities = np.stack([made.theta, np.exp(made.theta)], 1)
    order = np.random.default_rng(seed).permutation(300)
    here = variance_reduction(quantities, reading, made.blocks)
    for there in (
        variance_reduction(quantities[order], reading[order], made.blocks[order]),
        variance_reduction(quantities, unit * reading, made.blocks),
        variance_reduction(quantities, np.exp(reading), made.blocks),
    ):
        np.testing.assert_allclose(there, here, rtol=1e-7, atol=1e-9)


def test_what_does_not_vary_cannot_be_narrowed() -> None:
    made = normals(6, 0.5)
    (found,) = variance_reduction(np.ones((MANY, 1)), made.reading, made.blocks)
    assert np.isnan(found.value)
    (same,) = variance_reduction(made.theta[:, None], np.ones(MANY), made.blocks)
    assert same.value == pytest.approx(0.0, abs=1e-12)
