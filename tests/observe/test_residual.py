"""Normalised residuals are standard normal when the model is right."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from imak_pkpd.observe import AdditiveError, StudentTError, normalised_residual

F = jnp.full(4000, 2.0)
SIGMA = {"sigma": jnp.asarray(0.8), "df": jnp.asarray(3.0)}


def test_censored_rows_are_normal_too() -> None:
    made = StudentTError().distribution(F, SIGMA)
    y = made.sample(jax.random.key(3))
    bins = [(y < 1.5, 1, 1.5, 0.0), (y > 3.0, -1, 3.0, 0.0)]
    bins.append(((y > 1.9) & (y < 2.4), 2, 2.4, 1.9))
    value, censor, limit = y, jnp.zeros(y.shape, int), jnp.zeros(y.shape)
    for rows, code, at, lower in bins:
        value, limit = jnp.where(rows, at, value), jnp.where(rows, lower, limit)
        censor = jnp.where(rows, code, censor)
    z = normalised_residual(jax.random.key(4), made, value, censor, limit)
    assert stats.kstest(np.asarray(z), "norm").pvalue > 1e-3  # one seed in a thousand
    inside = np.asarray(z)[np.asarray(censor) == 1]
    assert (inside <= stats.norm.ppf(stats.t(3.0, 2.0, 0.8).cdf(1.5)) + 1e-12).all()


def test_a_normal_residual_is_the_weighted_residual() -> None:
    at = jnp.array([-30.0, -5.0, 0.0, 5.0, 30.0])  # sd: neither tail may saturate
    made = AdditiveError().distribution(jnp.zeros(5), {"sigma": jnp.ones(())})
    none = jnp.zeros(5, int)
    z = normalised_residual(jax.random.key(5), made, at, none, at)
    np.testing.assert_allclose(z, at, rtol=1e-12, atol=1e-15)  # of ndtri
