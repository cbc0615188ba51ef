"""Grades and answers: probabilities against plain sums, slopes, draws, residuals."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from imak_pkpd.observe import (
    BernoulliError,
    Ordinal,
    OrdinalError,
    iwres,
    log_likelihood,
    normalised_residual,
)

AT_LEAST = np.array([0.7, 0.4, 0.1, 1e-9])
MASS = -np.diff([1.0, *AT_LEAST, 0.0])  # of grades 0 … 4


@pytest.fixture
def grades() -> Ordinal:
    return OrdinalError().distribution(jnp.asarray(AT_LEAST), {})


def test_each_grade_has_its_probability(grades: Ordinal) -> None:
    k = np.arange(5.0)
    np.testing.assert_allclose(grades.log_prob(k), np.log(MASS), rtol=1e-12)
    assert grades.log_prob(jnp.asarray([-1.0, 0.5, 5.0])).tolist() == [-np.inf] * 3
    np.testing.assert_allclose([grades.mean, grades.median], [MASS @ k, 1.0])
    np.testing.assert_allclose(grades.variance, MASS @ k**2 - (MASS @ k) ** 2)
    residual = (k - grades.mean) / np.sqrt(grades.variance)
    np.testing.assert_allclose(iwres(grades, k), residual)


def test_a_grade_that_is_only_bounded(grades: Ordinal) -> None:
    value = jnp.array([0.0, 3.0, 3.0, 4.0, 0.0, 3.0])
    censor = jnp.array([1, 1, -1, -1, -1, 2])
    limit = jnp.array([0.0, 0.0, 0.0, 0.0, 0.0, 2.0])
    expected = [
        np.log(MASS[0]),
        np.log1p(-MASS[4]),
        np.log(AT_LEAST[2]),
        np.log(AT_LEAST[3]),
        0.0,
        np.log(MASS[2] + MASS[3]),
    ]
    rows = log_likelihood(grades, value, censor, limit)
    np.testing.assert_allclose(rows, expected, rtol=1e-12)


def test_slopes_against_finite_differences() -> None:
    value = jnp.array([0.0, 1.0, 4.0, 2.0, 3.0, 3.0])
    censor = jnp.array([0, 0, 0, 1, -1, 2])
    at = jnp.broadcast_to(jnp.array([0.7, 0.4, 0.1, 0.02])[:, None], (4, 6))

    def total(p):
        made = OrdinalError().distribution(p, {})
        return log_likelihood(made, value, censor, jnp.full(6, 1.0)).sum()

    slopes = jax.jit(jax.grad(total))(at)
    for place in np.ndindex(at.shape):
        step = jnp.zeros_like(at).at[place].set(1e-6)
        numeric = (total(at + step) - total(at - step)) / 2e-6
        np.testing.assert_allclose(slopes[place], numeric, rtol=1e-6, atol=1e-7)


def test_an_answer_is_a_grade_of_one_step() -> None:
    f = jnp.array([1e-9, 0.3, 0.999])
    made = BernoulliError().distribution(f, {})
    theirs = stats.bernoulli(np.asarray(f))
    for k in (0.0, 1.0):
        np.testing.assert_allclose(
            made.log_prob(jnp.full(3, k)), theirs.logpmf(k), rtol=1e-12
        )


@pytest.mark.parametrize("f", [-1e-9, 0.0, 1.0, 7.0, jnp.nan])
def test_probabilities_out_of_order_or_range(f: float) -> None:
    """Crossing probabilities have a low density and finite slopes, never a NaN."""

    def total(f):
        made = OrdinalError().distribution(jnp.stack([jnp.full(3, 0.2), f]), {})
        return log_likelihood(made, k, jnp.array([0, 1, -1]), k).sum()

    for grade in (0.0, 1.0, 2.0):
        k = jnp.full(3, grade)
        found = jax.value_and_grad(total)(jnp.full(3, f))
        if not np.isnan(f):
            assert all(np.isfinite(each).all() for each in found)
            assert found[0] <= 0


def test_draws_and_residuals(grades: Ordinal) -> None:
    drawn = np.asarray(grades.sample(jax.random.key(1), (20_000,)))
    share = np.bincount(drawn.astype(int), minlength=5) / len(drawn)
    error = np.sqrt(MASS * (1 - MASS) / len(drawn))
    np.testing.assert_array_less(np.abs(share - MASS), 4 * error + 1e-8)
    value = jnp.asarray(drawn[:4000])
    censor = jnp.where(value <= 1, 1, 0)
    value = jnp.where(censor == 1, 1.0, value)
    z = normalised_residual(jax.random.key(2), grades, value, censor, value)
    assert stats.kstest(np.asarray(z), "norm").pvalue > 1e-3
    lost = OrdinalError().distribution(jnp.full(4, jnp.nan), {})
    assert np.isnan(lost.sample(jax.random.key(3)))


def test_grades_of_many_rows_keep_their_order() -> None:
    """The levels come first: each row's own probabilities stay its own."""
    p = jnp.asarray(np.sort(np.random.default_rng(1).random((3, 2, 5)), axis=0)[::-1])
    made = OrdinalError().distribution(p, {})
    assert made.batch_shape == (2, 5)
    steps = jnp.stack([jnp.ones((2, 5)), *p, jnp.zeros((2, 5))])
    for k, (above, below) in enumerate(pairwise(steps)):
        np.testing.assert_allclose(
            made.log_prob(jnp.full((2, 5), float(k))), jnp.log(above - below), rtol=1e-9
        )
