"""Counts against SciPy in the middle and mpmath in the tails, 1e-10; their slopes.

SciPy's log-probabilities end at P = 1e-308; mpmath's, at 60 digits, do not.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from scipy import stats

from imak_pkpd.observe import (
    AbstractError,
    BernoulliError,
    BetaBinomialError,
    BinomialError,
    PoissonError,
    iwres,
    log_likelihood,
    normalised_residual,
)

TOLERANCE = 1e-10  # what is promised, relative
SMALLEST = 1e-12  # nats: of a probability near 1 nothing finer is promised
Real = mp.mpf


@pytest.fixture(autouse=True)
def _digits() -> Iterator[None]:
    with mp.workdps(60):
        yield


def binomial(highest: int, f: Real, false_positive: Real, n: Real) -> Iterator[Real]:
    p = f + (1 - f) * false_positive
    mass = (1 - p) ** n
    for k in range(highest + 1):
        yield mass
        mass *= (n - k) / (k + 1) * p / (1 - p)


def beta_binomial(highest: int, f: Real, c: Real, n: Real) -> Iterator[Real]:
    a, b = c * f, c * (1 - f)
    mass = mp.beta(a, n + b) / mp.beta(a, b)
    for k in range(highest + 1):
        yield mass
        if k < highest:
            mass *= (n - k) / (k + 1) * (a + k) / (b + n - k - 1)


def poisson(highest: int, f: Real, exposure: Real) -> Iterator[Real]:
    mass = mp.exp(-f * exposure)
    for k in range(highest + 1):
        yield mass
        mass *= f * exposure / (k + 1)


def bernoulli(highest: int, f: Real) -> Iterator[Real]:
    yield from (1 - f, f)


@cache
def masses(mass: Callable[..., Iterator[Real]], highest: int, *at: Real) -> list[Real]:
    """P(K = 0), P(K = 1), …, each from the one before."""
    return list(mass(highest, *at))


@dataclass(frozen=True)
class Case:
    """One error: ours, and P(K = k) written for mpmath; counts of its tails."""

    error: AbstractError
    mass: Callable[..., Iterator[Real]]
    predictions: tuple[float, ...]
    numbers: tuple[float, ...]
    counts: tuple[int, ...]
    highest: int

    def exact(self, lower: int, upper: int, *at: Real) -> Real:
        """log P(lower <= K <= upper), by a sum."""
        each = masses(self.mass, self.highest, *at)
        inside = mp.fsum(each[lower : upper + 1])
        if inside < 0.5:
            return mp.log(inside)
        return mp.log1p(-mp.fsum(each[:lower] + each[upper + 1 :]))


SHARES = (1e-9, 0.004, 0.3, 0.999)
CASES = {
    "binomial": Case(
        BinomialError(), binomial, SHARES, (0.003, 200.0), (0, 3, 60, 199, 200), 200
    ),
    "binomial, no false ones": Case(
        BinomialError(), binomial, SHARES, (0.0, 200.0), (0, 1, 59, 61, 200), 200
    ),
    "beta_binomial": Case(
        BetaBinomialError(), beta_binomial, SHARES, (50.0, 200.0), (0, 4, 60, 200), 200
    ),
    "beta_binomial, U-shaped": Case(
        BetaBinomialError(), beta_binomial, SHARES, (0.3, 20.0), (0, 1, 7, 19, 20), 20
    ),
    "beta_binomial, almost binomial": Case(
        BetaBinomialError(), beta_binomial, SHARES, (1e6, 100.0), (0, 5, 30, 100), 100
    ),
    "poisson": Case(
        PoissonError(), poisson, (1e-9, 0.02, 0.5), (100.0,), (0, 2, 50, 150), 400
    ),
    "bernoulli": Case(BernoulliError(), bernoulli, SHARES, (), (0, 1), 1),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def ours(case: Case, f, value, censor, limit):
    """Log-likelihoods [row] and their gradients [row, (f, *numbers)]."""
    fixed = case.error.keys.index("trials") if "trials" in case.error.keys else None

    def summed(at):
        scales = dict(zip(case.error.keys, at[1:], strict=True))
        made = case.error.distribution(at[0], scales)
        rows = log_likelihood(made, value, censor, limit)
        return rows.sum(), rows

    at = jnp.array([f, *(jnp.full(f.shape, number) for number in case.numbers)])
    slopes, rows = jax.jit(jax.grad(summed, has_aux=True))(at)
    kept = [i for i in range(len(at)) if fixed is None or i != fixed + 1]
    return np.asarray(rows), np.asarray(slopes)[kept].T, kept


def derivative(function: Callable[..., Real], at: list[Real], j: int) -> Real:
    """The central difference: exact to 1e-20."""
    step = Real(10) ** -16 * (at[j] or 1)
    if at[j] == 0:  # a false-positive rate of zero is the end of its range
        ends = [function(*at[:j], h, *at[j + 1 :]) for h in (0, step, 2 * step)]
        return (4 * ends[1] - 3 * ends[0] - ends[2]) / (2 * step)
    ends = [function(*at[:j], at[j] + h, *at[j + 1 :]) for h in (step, -step)]
    return (ends[0] - ends[1]) / (2 * step)


def assert_close(got: float, exact: Real, where: str) -> None:
    error = abs(Real(float(got)) - exact)
    assert error <= TOLERANCE * abs(exact) + SMALLEST, (where, got, mp.nstr(exact, 17))


def rows_of(case: Case) -> Iterator[tuple[float, int, int, int]]:
    """f, censoring code, lower and upper end of what a row says of the count."""
    for f in case.predictions:
        for k in case.counts:
            yield f, 0, k, k
            yield f, 1, 0, k
            yield f, -1, k, case.highest
            yield f, 2, min(1, k), k


def test_measured_and_censored_rows(case: Case) -> None:
    f, censor, lower, upper = map(np.array, zip(*rows_of(case), strict=True))
    value = np.where(censor == -1, lower, upper).astype(float)
    arrays = map(jnp.asarray, (f, value, censor, lower.astype(float)))
    rows, slopes, kept = ours(case, *arrays)
    for i in range(len(f)):
        at = [Real(float(f[i])), *map(Real, case.numbers)]
        exact = partial(case.exact, int(lower[i]), int(upper[i]))
        where = f"P({lower[i]} <= K <= {upper[i]}), f = {f[i]}, code {censor[i]}"
        if not (censor[i] == -1 and lower[i] == 0):  # certain: nothing to compare
            assert_close(rows[i], exact(*at), where)
            for place, j in enumerate(kept):
                slope = derivative(exact, at, j)
                assert_close(slopes[i, place], slope, f"gradient {j} of {where}")


def test_far_out() -> None:
    """A thousand nats and more, where a float64 has no such probability."""
    n, p = jnp.asarray(3000.0), 0.5
    made = BinomialError().distribution(
        jnp.asarray(p), {"false_positive": jnp.zeros(()), "trials": n}
    )
    exact = CASES["binomial"].exact(0, 40, Real(p), Real(0), Real(3000))
    assert_close(made.log_cdf(jnp.asarray(40.0)), exact, "3000 scored")
    assert made.log_cdf(jnp.asarray(3000.0)) == 0.0
    assert made.log_cdf(jnp.asarray(-1.0)) == -np.inf
    assert made.log_prob(jnp.asarray(3001.0)) == -np.inf
    assert made.log_prob(jnp.asarray(0.5)) == -np.inf


SCIPY = [
    (BinomialError(), {"false_positive": 0.01, "trials": 500.0}, stats.binom),
    (BetaBinomialError(), {"concentration": 40.0, "trials": 500.0}, stats.betabinom),
    (PoissonError(), {"exposure": 200.0}, stats.poisson),
]
F = np.array([0.002, 0.1, 0.7])


@pytest.fixture(params=SCIPY, ids=lambda pair: pair[2].name)
def pair(request: pytest.FixtureRequest):
    """Our distribution at F, and SciPy's."""
    error, numbers, theirs = request.param
    made = error.distribution(
        jnp.asarray(F), {k: jnp.asarray(v) for k, v in numbers.items()}
    )
    if theirs is stats.binom:
        return made, theirs(500, F + (1 - F) * 0.01)
    if theirs is stats.poisson:
        return made, theirs(200 * F)
    return made, theirs(500, 40 * F, 40 * (1 - F))


def test_density_and_moments(pair) -> None:
    made, theirs = pair
    k = np.array([[0.0, 40.0, 300.0], [3.0, 55.0, 350.0]])
    same = {"rtol": 1e-10}
    np.testing.assert_allclose(made.log_prob(jnp.asarray(k)), theirs.logpmf(k), **same)
    np.testing.assert_allclose(made.cdf(jnp.asarray(k)), theirs.cdf(k), rtol=1e-9)
    np.testing.assert_allclose(made.mean, theirs.mean(), **same)
    np.testing.assert_allclose(made.variance, theirs.var(), **same)
    residual = (k - theirs.mean()) / theirs.std()
    np.testing.assert_allclose(iwres(made, jnp.asarray(k)), residual, **same)


def test_draws(pair) -> None:
    """Means within 4 standard errors, SDs within 10 %: 10,000 draws."""
    made, theirs = pair
    drawn = np.asarray(made.sample(jax.random.key(1), (10_000,)))
    assert (drawn == np.round(drawn)).all()
    assert (drawn >= 0).all()
    error = theirs.std() / np.sqrt(len(drawn))
    np.testing.assert_array_less(np.abs(drawn.mean(0) - theirs.mean()), 4 * error)
    np.testing.assert_allclose(drawn.std(0), theirs.std(), rtol=0.1)


def test_nothing_is_drawn_of_a_subject_without_a_solution(pair) -> None:
    made, _ = pair
    lost = jax.tree.map(lambda leaf: leaf.at[1].set(jnp.nan), made)
    assert np.isnan(lost.sample(jax.random.key(2))).tolist() == [False, True, False]


def test_normalised_residuals_are_normal(pair) -> None:
    """Measured and censored counts alike, ties and all."""
    made, _ = pair
    k = made.sample(jax.random.key(3), (4000,))
    cut = jnp.asarray([2.0, 45.0, 340.0])
    censor = jnp.where(k <= cut, 1, 0)
    value = jnp.where(censor == 1, cut, k)
    z = normalised_residual(jax.random.key(4), made, value, censor, value)
    for column in np.asarray(z).T:
        assert stats.kstest(column, "norm").pvalue > 1e-3


OVERSHOT = [-1e-12, 0.0, 1e-300, 1e-30, 1.0, 1.0 + 1e-12, 7.0]


@pytest.mark.parametrize(
    "error", [BinomialError(), BetaBinomialError(), PoissonError()]
)
def test_no_gradient_is_nan_where_a_solver_overshoots(error: AbstractError) -> None:
    counts, kinds = jnp.array([0.0, 3.0, 10.0]), jnp.array([0, 1, -1, 2])
    f, k, codes = map(jnp.ravel, jnp.meshgrid(jnp.array(OVERSHOT), counts, kinds))
    numbers = {"false_positive": 0.0, "concentration": 30.0, "trials": 10.0}
    scales = {
        key: jnp.asarray((numbers | {"exposure": 10.0})[key]) for key in error.keys
    }

    def total(f, scales):
        made = error.distribution(f, scales)
        return log_likelihood(made, k, codes, jnp.minimum(k, 2.0)).sum()

    found = jax.jit(jax.value_and_grad(total, argnums=(0, 1)))(f, scales)
    assert all(np.isfinite(each).all() for each in jax.tree.leaves(found))
