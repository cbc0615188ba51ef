"""Log-probabilities of censored rows, and their gradients, to 1e-10 at 0 to 40 sd.

The answer is mpmath's at 40 digits; its derivatives are numeric, at that precision.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from imak_pkpd.observe import (
    AbstractError,
    AdditiveError,
    Combined1Error,
    Combined2Error,
    LognormalError,
    ProportionalError,
    StudentTError,
    log_likelihood,
)
from imak_pkpd.observe.likelihood import Method

TOLERANCE = 1e-10  # what is promised, relative
SMALLEST = 2.3e-308  # a float64 holds no smaller number in full: P(Z > 40) = 1e-350
DISTANCES = (0.0, 0.5, 2.9, 3.1, 8.0, 19.0, 40.0)  # sd; our formulas change at 0, 3
Z = np.array(sorted({s * d for d in DISTANCES for s in (-1, 1)}))
INTERVALS = [  # start and width in sd; none is symmetric, where the slope is exactly 0
    *((z, width) for z in (-40.0, -3.2, 0.1, 8.0, 40.0) for width in (1e-6, 0.3, 10.0)),
    *((z, width) for z in (-41.0, -0.7, 39.0) for width in (0.99, 1.01, 5.0)),
]
Real = mp.mpf


@pytest.fixture(autouse=True)
def _digits() -> Iterator[None]:
    with mp.workdps(40):
        yield


@cache
def student_sf(df: Real, x: Real) -> Real:
    """P(T > x) of x >= 0; the incomplete beta function has few digits near x = 0."""
    if x > 1:
        y = df / (df + x**2)
        return mp.betainc(df / 2, Real(1) / 2, 0, y, regularized=True) / 2
    density = mp.gamma((df + 1) / 2) / mp.gamma(df / 2) / mp.sqrt(df * mp.pi)
    series = mp.hyp2f1(Real(1) / 2, (df + 1) / 2, Real(3) / 2, -(x**2) / df)
    return Real(1) / 2 - x * density * series


@cache
def normal_sf(x: Real) -> Real:
    return mp.erfc(x / mp.sqrt(2)) / 2


def mass(sf: Callable[[Real], Real], a: Real, b: Real) -> Real:
    """P(a < Z < b) of a symmetric law, from survival at positive arguments."""
    tail = lambda x: Real(0) if mp.isinf(x) else sf(x)  # noqa: E731
    if a >= 0:
        return tail(a) - tail(b)
    if b <= 0:
        return tail(-b) - tail(-a)
    return 1 - tail(-a) - tail(b)


def log_given(sf: Callable, lowest: Real, a: Real, b: Real) -> Real:
    """log P(a < Z < b | Z > lowest)."""
    inside = mass(sf, a, b)
    outside = mass(sf, lowest, a) + mass(sf, b, mp.inf)
    whole = mass(sf, lowest, mp.inf)
    return mp.log(inside / whole) if inside < outside else mp.log1p(-outside / whole)


@dataclass(frozen=True)
class Case:
    """One error model: ours, and the same written for mpmath."""

    error: AbstractError
    numbers: tuple[float, ...]
    scale: Callable[..., Real]
    log: bool = False

    def z(self, y: float, f: Real, *numbers: Real) -> Real:
        y = Real(y)
        gap = mp.log(y / f) if self.log and y > 0 else -mp.inf if self.log else y - f
        return gap / self.scale(f, *numbers)

    def sf(self, *numbers: Real) -> Callable[[Real], Real]:
        student = "df" in self.error.keys
        return partial(student_sf, numbers[-1]) if student else normal_sf

    def exact(self, lower: float, upper: float, m4: bool, *at: Real) -> Real:
        """log P(lower < DV < upper), with M4 given DV > 0."""
        lowest = self.z(0.0, *at) if m4 else -mp.inf
        a, b = (
            limit if np.isinf(limit) else self.z(limit, *at) for limit in (lower, upper)
        )
        return log_given(self.sf(*at[1:]), lowest, max(Real(a), lowest), Real(b))

    def limit(self, f: float, z: np.ndarray) -> np.ndarray:
        scale = float(self.scale(f, *self.numbers))
        return f * np.exp(scale * z) if self.log else f + scale * z


def constant(f: Real, sigma: Real, *_: Real) -> Real:
    return sigma


CASES = {
    "additive": Case(AdditiveError(), (0.2,), constant),
    "proportional": Case(ProportionalError(), (0.02,), lambda f, s: s * abs(f)),
    "combined1": Case(Combined1Error(), (0.1, 0.01), lambda f, a, b: a + b * abs(f)),
    "combined2": Case(
        Combined2Error(), (0.1, 0.02), lambda f, a, b: mp.sqrt(a**2 + b**2 * f**2)
    ),
    "lognormal": Case(LognormalError(), (0.2,), constant, log=True),
    "student_t(2)": Case(StudentTError(), (0.2, 2.0), constant),
    "student_t(4.5)": Case(StudentTError(), (0.2, 4.5), constant),
    "student_t(50)": Case(StudentTError(), (0.2, 50.0), constant),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


# one program for all errors of one kind of distribution
LOG_LIKELIHOOD = jax.jit(log_likelihood, static_argnums=4)


def ours(case: Case, method: Method, f, value, censor, limit):
    """Log-likelihoods [row] and their gradients [row, (f, *numbers)]."""

    def summed(at):
        scales = dict(zip(case.error.keys, at[1:], strict=True))
        made = case.error.distribution(at[0], scales)
        rows = LOG_LIKELIHOOD(made, value, censor, limit, method)
        return rows.sum(), rows

    at = jnp.array([f, *(jnp.full(f.shape, number) for number in case.numbers)])
    slopes, rows = jax.grad(summed, has_aux=True)(at)
    return np.asarray(rows), np.asarray(slopes).T


def check(case: Case, method: Method, f, lower, upper) -> None:
    """Rows P(lower < DV < upper); an infinite end makes it left- or right-censored."""
    censor = np.where(np.isinf(lower), 1, np.where(np.isinf(upper), -1, 2))
    value = np.where(censor == -1, lower, upper)
    rows, slopes = ours(case, method, f, value, censor, np.where(censor == 2, lower, 0))
    for i, centre in enumerate(f):
        at = [Real(float(centre)), *map(Real, case.numbers)]
        exact = partial(case.exact, lower[i], upper[i], method == "M4")
        where = f"row {i}: P({lower[i]} < DV < {upper[i]}), f = {centre}"
        assert_close(rows[i], exact(*at), where)
        for j in range(len(at)):
            slope = derivative(exact, at, j)
            assert_close(slopes[i, j], slope, f"gradient {j} of {where}")


def derivative(function: Callable[..., Real], at: list[Real], j: int) -> Real:
    """The central difference, at 60 digits: exact to 1e-20."""
    with mp.workdps(60):
        step = Real(10) ** -12 * at[j]
        ends = [function(*at[:j], at[j] + h, *at[j + 1 :]) for h in (step, -step)]
        return (ends[0] - ends[1]) / (2 * step)


def assert_close(got: float, exact: Real, where: str) -> None:
    error = abs(Real(float(got)) - exact)
    assert error <= TOLERANCE * abs(exact) + SMALLEST, (where, got, mp.nstr(exact, 17))


def test_m3(case: Case) -> None:
    start, width = np.array(INTERVALS).T
    lower = np.concatenate([np.full(Z.shape, -np.inf), Z, start])
    upper = np.concatenate([Z, np.full(Z.shape, np.inf), start + width])
    f = np.full(lower.shape, 10.0)
    check(case, "M3", f, case.limit(10.0, lower), case.limit(10.0, upper))


def test_m4(case: Case) -> None:
    """Zero lies up to 40 sd from the prediction, on both sides of it."""
    # 0 is 1 / sigma sd away under a proportional error: not always, with this sigma
    relative = {"sigma": 0.4, "additive": 0.1, "proportional": 0.3}
    if case.scale is not constant:
        case = replace(case, numbers=tuple(relative[key] for key in case.error.keys))
    predictions = (0.6, 8.0) if case.log else (-8.0, -0.6, 0.1, 0.6, 8.0)
    limits = ((-np.inf, 0.05), (-np.inf, 8.2), (0.0, 0.3), (0.05, 0.3), (7.0, 8.2))
    limits = (*limits, (0.05, np.inf), (8.2, np.inf))
    f = np.repeat(predictions, len(limits))
    lower, upper = np.tile(np.array(limits).T, len(predictions))
    check(case, "M4", f, lower, upper)
