"""The linear map of the metric, against covariances that are known."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from imak_pkpd.fit.metric import adapted_scale, laplace_scale, spiked_variance


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


@pytest.mark.parametrize("known", [True, False])
def test_adapted_scale_makes_the_posterior_round(known: bool) -> None:
    """From a metric with the right widths and a missed ridge, and from none at all."""
    truth = covariance(3, 20)
    ridge = np.sqrt(np.diag(truth))
    target = truth + 25.0 * np.outer(ridge, ridge)  # a ridge 5 × longer than the rest
    rng = np.random.default_rng(11)
    draws = rng.multivariate_normal(np.zeros(20), target, 800)
    first = np.linalg.cholesky(truth) if known else np.eye(20)
    before = roundness(first, target)
    after = roundness(adapted_scale(first, draws), target)
    assert after < 3.0  # a condition number of 9 costs NUTS nothing one would notice
    assert after < before / 5


def test_adapted_diagonal_scale_has_the_widths_of_the_draws() -> None:
    rng = np.random.default_rng(2)
    draws = rng.standard_normal((4000, 5)) * [0.1, 1.0, 10.0, 3.0, 0.5]
    found = adapted_scale(np.ones(5), draws)
    # five imaginary draws of unit width among 2000; the error of an SD is 1.1 %
    variance = (2000 * np.array([0.1, 1.0, 10.0, 3.0, 0.5]) ** 2 + 5) / 2005
    np.testing.assert_allclose(found, np.sqrt(variance), rtol=0.04)


def roundness(scale: np.ndarray, target: np.ndarray) -> float:
    """Longest over shortest width of the target in the coordinates of `scale`."""
    inverse = np.linalg.inv(scale)
    values = np.linalg.eigvalsh(inverse @ target @ inverse.T)
    return float(np.sqrt(values[-1] / values[0]))
