"""The table of censoring, masks, and a censored likelihood known from elsewhere."""

import csv
import tomllib
from functools import partial
from itertools import product
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from imak_pkpd.observe import (
    AdditiveError,
    LognormalError,
    ProportionalError,
    log_likelihood,
)

F = jnp.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
SIGMA = {"sigma": jnp.asarray(0.7)}
VALUE = jnp.array([1.3, 1.9, 3.5, 4.4, 5.5, jnp.inf])
CENSOR = jnp.array([0, 1, -1, 2, 2, 2])
LIMIT = jnp.array([0.0, 0.0, 0.0, 3.1, -jnp.inf, 5.0])


def test_rows_of_the_table() -> None:
    rows = log_likelihood(AdditiveError().distribution(F, SIGMA), VALUE, CENSOR, LIMIT)
    y = stats.norm(np.asarray(F), 0.7)
    expected = [
        y.logpdf(VALUE)[0],
        y.logcdf(VALUE)[1],
        y.logsf(VALUE)[2],
        np.log(y.cdf(4.4) - y.cdf(3.1))[3],
        y.logcdf(VALUE)[4],
        y.logsf(5.0)[5],
    ]
    np.testing.assert_allclose(rows, expected, rtol=1e-12)  # SciPy's accuracy


def test_a_lower_limit_of_zero_is_left_censoring_of_a_log_normal() -> None:
    made = LognormalError().distribution(F, SIGMA)
    zero, codes = jnp.zeros(6), jnp.full(6, 2)
    interval = log_likelihood(made, F, codes, zero)
    np.testing.assert_array_equal(interval, log_likelihood(made, F, codes - 1, zero))


@pytest.mark.parametrize("method", ["M3", "M4"])
def test_masked_rows_are_invisible(method: str) -> None:
    """Whatever padding holds, values and gradients are those of the other rows."""
    mask = jnp.arange(6) < 4

    @jax.jit
    @partial(jax.value_and_grad, argnums=(0, 1))
    def total(f, sigma, value, censor, limit, mask):
        made = ProportionalError().distribution(f, {"sigma": sigma})
        return log_likelihood(made, value, censor, limit, method, mask).sum()

    at = (F, SIGMA["sigma"])
    alone, (df_alone, dsigma_alone) = total(
        F[:4], SIGMA["sigma"], VALUE[:4], CENSOR[:4], LIMIT[:4], mask[:4]
    )
    for code, junk in product((0, 1, -1, 2), (0.0, -5.0, jnp.nan, jnp.inf)):
        value, limit = (jnp.where(mask, x, junk) for x in (VALUE, LIMIT))
        censor = jnp.where(mask, CENSOR, code)
        padded, (df, dsigma) = total(*at, value, censor, limit, mask)
        np.testing.assert_allclose(padded, alone, rtol=1e-15)  # the same sum
        np.testing.assert_array_equal(df[4:], 0.0)
        np.testing.assert_allclose(df[:4], df_alone, rtol=1e-14)
        np.testing.assert_allclose(dsigma, dsigma_alone, rtol=1e-14)


def test_a_code_that_was_not_announced_is_seen() -> None:
    made = AdditiveError().distribution(F, SIGMA)
    rows = log_likelihood(made, VALUE, CENSOR, LIMIT, present=frozenset({1}))
    np.testing.assert_array_equal(
        jnp.isnan(rows), jnp.array([9, 9, -1, 2, 2, 2]) == CENSOR
    )


def test_rows_one_by_one() -> None:
    def row(f, value, censor, limit):
        return log_likelihood(
            AdditiveError().distribution(f, SIGMA), value, censor, limit
        )

    at = (F, VALUE, CENSOR, LIMIT)
    np.testing.assert_allclose(jax.jit(jax.vmap(row))(*at), row(*at), rtol=1e-14)


def test_second_derivatives() -> None:
    """The curvature, which a Laplace approximation needs, is the slope of the slope."""

    def total(f):
        made = AdditiveError().distribution(f, SIGMA)
        return log_likelihood(made, VALUE, CENSOR, LIMIT).sum()

    slope = jax.jit(jax.grad(total))
    step = 1e-5  # a central difference is then good to about 1e-10
    expected = (slope(F + step) - slope(F - step)) / (2 * step)
    _, curvature = jax.jvp(slope, (F,), (jnp.ones_like(F),))
    np.testing.assert_allclose(curvature, expected, rtol=1e-8)


def test_hiv_rebound(cases: Path) -> None:
    """Left-censored mixed model: the marginal log-likelihood at the estimates."""
    folder = cases / "blq-hiv-rebound"
    reference = tomllib.loads((folder / "reference.toml").read_text())["reference"][0]
    at = {name: entry["value"] for name, entry in reference["estimates"].items()}
    rows = list(csv.DictReader((folder / "data.csv").read_text().splitlines()))
    mean = jnp.array([at[f"beta_m{row['TIME']}"] for row in rows])
    value = jnp.array([float(row["DV"]) for row in rows])
    censor = jnp.array([int(row["CENS"]) for row in rows])
    _, subject = np.unique([row["ID"] for row in rows], return_inverse=True)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    effect = jnp.asarray(at["omega"] * nodes)[:, None]
    made = AdditiveError().distribution(
        mean + effect, {"sigma": jnp.asarray(at["sigma"])}
    )
    logs = log_likelihood(made, value, censor, jnp.zeros(value.shape))
    by_subject = jax.ops.segment_sum(logs.T, subject)
    log_weights = np.log(weights / weights.sum())
    marginal = jax.nn.logsumexp(by_subject + log_weights, axis=1).sum()
    # the estimates have ten digits, the likelihood is flat there
    assert abs(marginal - reference["logLik"]) < 1e-6
