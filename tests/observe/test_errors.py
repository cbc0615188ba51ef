"""Every residual error against SciPy: density, moments, draws; finite gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from imak_pkpd.observe import (
    AbstractError,
    AdditiveError,
    Combined1Error,
    Combined2Error,
    LognormalError,
    ProportionalError,
    StudentTError,
    conditioned,
    iwres,
    log_likelihood,
)

SCALES = {"sigma": 0.3, "additive": 0.5, "proportional": 0.2, "df": 3.5}
ERRORS = {
    "additive": (AdditiveError(), lambda f: stats.norm(f, 0.3)),
    "proportional": (ProportionalError(), lambda f: stats.norm(f, 0.3 * abs(f))),
    "combined1": (Combined1Error(), lambda f: stats.norm(f, 0.5 + 0.2 * abs(f))),
    "combined2": (Combined2Error(), lambda f: stats.norm(f, np.hypot(0.5, 0.2 * f))),
    "lognormal": (LognormalError(), lambda f: stats.lognorm(0.3, scale=f)),
    "student_t": (StudentTError(), lambda f: stats.t(3.5, f, 0.3)),
}
PREDICTION = np.array([0.2, 1.0, 40.0])
VALUE = np.array([[0.3, 1.1, 35.0], [0.1, 2.0, 60.0]])


def scales(error: AbstractError) -> dict[str, jax.Array]:
    return {key: jnp.asarray(SCALES[key]) for key in error.keys}


@pytest.fixture(params=ERRORS)
def pair(request: pytest.FixtureRequest):
    """Our distribution at PREDICTION, and SciPy's."""
    error, theirs = ERRORS[request.param]
    ours = error.distribution(jnp.asarray(PREDICTION), scales(error))
    return ours, theirs(PREDICTION)


def test_density_and_probability(pair) -> None:
    ours, theirs = pair
    value = jnp.asarray(VALUE)
    same = {"rtol": 1e-12}  # SciPy's own accuracy in the middle of a distribution
    np.testing.assert_allclose(ours.log_prob(value), theirs.logpdf(VALUE), **same)
    np.testing.assert_allclose(ours.cdf(value), theirs.cdf(VALUE), **same)
    np.testing.assert_allclose(ours.log_sf(value), theirs.logsf(VALUE), **same)
    np.testing.assert_allclose(ours.mean, theirs.mean(), **same)
    np.testing.assert_allclose(ours.variance, theirs.var(), **same)
    np.testing.assert_allclose(ours.median, theirs.median(), **same)


def test_draws(pair) -> None:
    ours, theirs = pair
    drawn = np.asarray(ours.sample(jax.random.key(1), (2000,)))
    uniform = theirs.cdf(drawn)  # of 18 such tests the smallest p falls below 1e-4
    assert stats.kstest(uniform.T, "uniform", axis=1).pvalue.min() > 1e-4  # 1 in 500


def test_m4_is_the_truncated_normal() -> None:
    f, sd = np.array([-1.2, 0.1, 4.0]), 0.3
    error = AdditiveError().distribution(jnp.asarray(f), {"sigma": jnp.asarray(sd)})
    ours = conditioned(error, "M4")
    theirs = stats.truncnorm(-f / sd, np.inf, f, sd)
    value = np.array([0.05, 0.4, 3.8])
    density = ours.log_prob(jnp.asarray(value))
    np.testing.assert_allclose(density, theirs.logpdf(value), rtol=1e-10)  # SciPy's
    np.testing.assert_allclose(ours.median, theirs.median(), rtol=1e-9)  # SciPy's
    drawn = np.asarray(ours.sample(jax.random.key(2), (2000,)))
    assert (drawn >= 0).all()
    assert stats.kstest(theirs.cdf(drawn).T, "uniform", axis=1).pvalue.min() > 1e-4


def test_the_two_combined_errors_differ_as_named() -> None:
    at = jnp.asarray(3.0), {"additive": jnp.asarray(3.0), "proportional": jnp.ones(())}
    assert Combined1Error().distribution(*at).scale == 6.0  # 3 + 1 * 3
    assert Combined2Error().distribution(*at).scale == np.sqrt(18.0)  # 3^2 + (1 * 3)^2


def test_weighted_residuals() -> None:
    made = LognormalError().distribution(jnp.array([2.0]), {"sigma": jnp.asarray(0.5)})
    np.testing.assert_allclose(iwres(made, jnp.array([2.0 * np.e])), 2.0, rtol=1e-14)
    made = ProportionalError().distribution(jnp.array([2.0]), {"sigma": jnp.ones(())})
    np.testing.assert_allclose(iwres(made, jnp.array([5.0])), 1.5, rtol=1e-14)


EXTREME = [0.0, -0.0, -1e-12, -3.0, 1e-300, 1e-29, 1e-3, 5.0, 1e4, 1e12]


# one program for all errors of one kind of distribution
LOG_LIKELIHOOD = jax.jit(log_likelihood, static_argnums=4)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        *((name, "M3") for name in ERRORS),
        ("additive", "M4"),
        ("proportional", "M4"),
        ("combined2", "M4"),
        pytest.param("student_t", "M4", marks=pytest.mark.slow),  # 7 s to compile
    ],
)
def test_no_gradient_is_nan(name: str, method: str) -> None:
    """Predictions of a solver that overshoots, with every kind of row."""
    error = ERRORS[name][0]
    f, censor = (jnp.ravel(x) for x in np.meshgrid(EXTREME, [0, 1, -1, 2]))
    value, limit = jnp.full(f.shape, 2.0), jnp.full(f.shape, 0.5)

    def total(f, numbers):
        made = error.distribution(f, numbers)
        return LOG_LIKELIHOOD(made, value, censor, limit, method).sum()

    value_and_slopes = jax.value_and_grad(total, argnums=(0, 1))(f, scales(error))
    assert all(np.isfinite(each).all() for each in jax.tree.leaves(value_and_slopes))


NUMBER = st.floats(-50.0, 50.0)


@pytest.mark.parametrize("name", ["additive", "student_t"])
@settings(max_examples=100, deadline=None)
@given(f=NUMBER, one=NUMBER, other=NUMBER, scale=st.floats(0.1, 10.0))
def test_probabilities_of_a_partition_add_up(name, f, one, other, scale) -> None:
    lower, upper = min(one, other), max(one, other)
    numbers = {"sigma": jnp.asarray(scale), "df": jnp.asarray(2.5)}
    made = ERRORS[name][0].distribution(jnp.asarray(f), numbers)
    parts = probabilities(made, jnp.asarray(lower), jnp.asarray(upper))
    assert abs(parts.sum() - 1) < 1e-13  # rounding of three numbers below 1


@jax.jit
def probabilities(made, lower, upper):
    logs = (made.log_cdf(lower), made.log_interval(lower, upper), made.log_sf(upper))
    return jnp.exp(jnp.stack(logs))
