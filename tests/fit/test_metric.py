"""The linear map of the metric, against covariances that are known."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from imak_pkpd.fit.metric import (
    adapted_scale,
    balanced_scale,
    laplace_scale,
    spiked_variance,
)


def covariance(seed: int, size: int) -> np.ndarray:
    """Widths over two decades, moderate correlations."""
    rng = np.random.default_rng(seed)
    mix = np.eye(size) + 0.3 * rng.standard_normal((size, size)) / np.sqrt(size)
    width = 10.0 ** rng.uniform(-1, 1, size)
    return width[:, None] * (mix @ mix.T) * width


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
@settings(max_examples=30, deadline=None)
def test_laplace_scale_inverts_the_hessian(seed: int, size: int) -> None:
    truth = covariance(seed, size)
    hessian = np.linalg.inv(truth)
    scale = laplace_scale(hessian, dense=True)
    diagonal = laplace_scale(hessian, dense=False)
    # two inversions of a matrix of condition number below 1e7
    np.testing.assert_allclose(scale @ scale.T, truth, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(diagonal**2, np.diag(truth), rtol=1e-6)


def test_laplace_scale_of_a_saddle_is_finite_and_regular() -> None:
    scale = laplace_scale(np.diag([4.0, -1.0, 0.0]), dense=True)
    widths = np.sqrt(np.diag(scale @ scale.T))
    assert widths[0] == pytest.approx(0.5)
    assert np.linalg.matrix_rank(scale) == 3
    assert np.all(np.isfinite(scale))


def test_spiked_variance_undoes_the_bias_of_few_draws() -> None:
    rng = np.random.default_rng(7)
    size, draws = 60, 600
    truth = np.ones(size)
    truth[:3] = [30.0, 8.0, 0.05]
    sample = rng.standard_normal((draws, size)) * np.sqrt(truth)
    values = np.linalg.eigvalsh(sample.T @ sample / draws)
    found = np.sort(spiked_variance(values, size / draws))
    # sampling error of a variance from 600 draws is sqrt(2/600) = 6 %; three of them
    assert found[-1] == pytest.approx(30.0, rel=0.18)
    assert found[-2] == pytest.approx(8.0, rel=0.18)
    assert found[0] == pytest.approx(0.05, rel=0.18)
    assert np.count_nonzero(found == 1.0) == size - 3


@pytest.mark.parametrize("gradients", [False, True], ids=["draws", "gradients"])
@pytest.mark.parametrize("known", [True, False])
def test_a_corrected_scale_makes_the_posterior_round(
    known: bool, gradients: bool
) -> None:
    """From a metric with the right widths and a missed ridge, and from none at all."""
    truth = covariance(3, 20)
    ridge = np.sqrt(np.diag(truth))
    target = truth + 25.0 * np.outer(ridge, ridge)  # a ridge 5 × longer than the rest
    rng = np.random.default_rng(11)
    draws = rng.multivariate_normal(np.zeros(20), target, 800)
    first = np.linalg.cholesky(truth) if known else np.eye(20)
    before = roundness(first, target)
    if gradients:
        found = balanced_scale(first, draws, draws @ np.linalg.inv(target))
    else:
        found = adapted_scale(first, draws)
    after = roundness(found, target)
    assert after < 3.0  # a condition number of 9 costs NUTS nothing one would notice
    assert after < before / 5


def test_adapted_diagonal_scale_has_the_widths_of_the_draws() -> None:
    rng = np.random.default_rng(2)
    draws = rng.standard_normal((4000, 5)) * [0.1, 1.0, 10.0, 3.0, 0.5]
    found = adapted_scale(np.ones(5), draws)
    # five imaginary draws of unit width among 2000; the error of an SD is 1.1 %
    variance = (2000 * np.array([0.1, 1.0, 10.0, 3.0, 0.5]) ** 2 + 5) / 2005
    np.testing.assert_allclose(found, np.sqrt(variance), rtol=0.04)


def test_few_draws_with_gradients_show_a_metric_that_is_far_off() -> None:
    """Sixty draws of forty coordinates, two of which the map has 20 times too wide and
    too narrow: draws alone leave the first more than five times too wide."""
    widths = np.ones(40)
    widths[:2] = [0.05, 20.0]
    rng = np.random.default_rng(4)
    draws = rng.standard_normal((60, 40)) * widths
    found = balanced_scale(np.eye(40), draws, draws / widths**2)
    # 30 draws count; five imaginary ones of unit width pull by at most (1/7)^(1/4)
    sizes = np.sqrt(np.diag(found @ found.T))[:2]
    np.testing.assert_allclose(np.log(sizes / widths[:2]), 0.0, atol=0.7)
    alone = adapted_scale(np.eye(40), draws)
    assert (alone @ alone.T)[0, 0] > (5 * widths[0]) ** 2


def test_balanced_diagonal_scale_balances_draws_and_gradients() -> None:
    rng = np.random.default_rng(2)
    width, slope = [0.1, 1.0, 10.0, 3.0, 0.5], [10.0, 2.0, 0.1, 1.0, 1.0]
    draws = rng.standard_normal((4000, 5)) * width
    gradients = rng.standard_normal((4000, 5)) * slope
    found = balanced_scale(np.ones(5), draws, gradients)
    # five imaginary draws of unit width among 2000; the error of a root of two SDs of
    # 4000 draws is 0.8 %, five of them
    spread, steepness = (
        (2000 * np.square(sizes) + 5) / 2005 for sizes in (width, slope)
    )
    np.testing.assert_allclose(found, (spread / steepness) ** 0.25, rtol=0.04)


def test_balanced_scale_is_the_geometric_mean() -> None:
    """M = S Sᵀ has the least Fisher divergence where M (cov of gradients) M = (cov of
    draws); here the two know nothing of one another."""
    rng = np.random.default_rng(5)
    spread, steepness = covariance(8, 4), covariance(9, 4)
    draws = rng.multivariate_normal(np.zeros(4), spread, 100_000)
    gradients = rng.multivariate_normal(np.zeros(4), steepness, 100_000)
    scale = balanced_scale(np.eye(4), draws, gradients)
    metric = scale @ scale.T
    found = metric @ steepness @ metric
    size = np.sqrt(np.diag(spread))
    # covariances of 100,000 draws err by 0.3-0.5 % of their widths, and a direction
    # within 0.7 % of unit variance is left as it is; four coordinates add up
    np.testing.assert_allclose(
        found / np.outer(size, size), spread / np.outer(size, size), atol=0.03
    )


def roundness(scale: np.ndarray, target: np.ndarray) -> float:
    """Longest over shortest width of the target in the coordinates of `scale`."""
    inverse = np.linalg.inv(scale)
    values = np.linalg.eigvalsh(inverse @ target @ inverse.T)
    return float(np.sqrt(values[-1] / values[0]))
