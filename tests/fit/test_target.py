"""A NumPyro model as a density of one vector, against densities written by SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import stats

from imak_pkpd.fit.target import (
    Target,
    constrain_draws,
    prior_draw,
    prior_median,
    target,
)

Y = np.array([0.3, -1.2, 2.0])


def model(y: jax.Array) -> None:
    scale = numpyro.sample("omega_a", dist.HalfNormal(2.0))
    with numpyro.plate("patient", 3):
        eta = numpyro.sample("eta_a", dist.Normal(0.0, scale))
    numpyro.deterministic("a", jnp.exp(eta))
    numpyro.factor("likelihood", dist.Normal(eta, 1.0).log_prob(y).sum())


@pytest.fixture(scope="module")
def density() -> Target:
    return target(model, (jnp.asarray(Y),))


def test_the_potential_is_minus_the_log_density(density: Target) -> None:
    eta, omega = np.array([0.1, -0.4, 0.9]), 0.7
    position = np.concatenate([eta, [np.log(omega)]])
    expected = -(
        stats.halfnorm(scale=2.0).logpdf(omega)
        + stats.norm(0, omega).logpdf(eta).sum()
        + stats.norm(eta, 1.0).logpdf(Y).sum()
        + np.log(omega)  # the Jacobian of log omega
    )
    value, slope = density.evaluate(position, (Y,))
    assert float(value) == pytest.approx(expected, rel=1e-12)
    # d/d eta of eta²/(2 omega²) + (y - eta)²/2
    np.testing.assert_allclose(slope[:3], eta / omega**2 - (Y - eta), rtol=1e-12)


def test_sites_lie_where_their_slices_say(density: Target) -> None:
    position = jnp.arange(4.0)
    values = density.constrain(position, (Y,))
    np.testing.assert_array_equal(position[density.sites["eta_a"]], values["eta_a"])
    np.testing.assert_allclose(
        np.exp(position[density.sites["omega_a"]]), values["omega_a"]
    )


def test_prior_medians_and_draws(density: Target) -> None:
    median = prior_median(density, (Y,))
    expected = stats.halfnorm(scale=2.0).median()
    # 1001 draws: the median's error is 1.25 sd/√1001 = 4 % of the sd (1.2), three times
    assert np.exp(median[3]) == pytest.approx(expected, abs=0.15)
    keys = jax.random.split(jax.random.key(4), 200)
    omegas = [np.exp(prior_draw(density, key, (Y,))[3]) for key in keys]
    assert stats.kstest(omegas, stats.halfnorm(scale=2.0).cdf).pvalue > 0.001


def test_replace_sets_a_site_on_its_own_scale(density: Target) -> None:
    moved = density.replace(jnp.zeros(4), {"omega_a": jnp.asarray(3.0)}, (Y,))
    np.testing.assert_allclose(moved, [0, 0, 0, np.log(3.0)])


def test_constrain_draws_gives_the_kept_sites_of_every_draw(density: Target) -> None:
    positions = np.random.default_rng(0).normal(size=(2, 7, 4))
    values = constrain_draws(density, (Y,), positions, _not_omega, chunk=3)
    assert sorted(values) == ["a", "eta_a"]
    np.testing.assert_allclose(values["a"], np.exp(positions[..., :3]), rtol=1e-14)


def _not_omega(name: str) -> bool:
    return not name.startswith("omega")


def test_an_undefined_density_is_minus_infinity() -> None:
    def broken(y: jax.Array) -> None:
        x = numpyro.sample("x", dist.Normal(0.0, 1.0))
        numpyro.factor("likelihood", jnp.sqrt(x) * y)

    density = target(broken, (1.0,))
    assert density.evaluate(np.array([-1.0]), (1.0,))[0] == np.inf


def test_float32_is_refused_with_the_line_to_add() -> None:
    with (
        jax.enable_x64(False),
        pytest.raises(
            ValueError, match=r"jax\.config\.update\('jax_enable_x64', True\)"
        ),
    ):
        target(model, (Y,))


def test_a_model_without_latent_sites_is_refused() -> None:
    with pytest.raises(ValueError, match="no latent site"):
        target(lambda y: numpyro.factor("f", y.sum()), (Y,))


def test_an_infinite_density_is_no_place_to_climb_to() -> None:
    """Overflow far out in a flat prior gave +inf; nothing else may differ."""

    def model() -> None:
        x = numpyro.sample("x", dist.Normal(0.0, 1.0))
        numpyro.factor("overflow", jnp.where(x > 3.0, jnp.inf, 0.0))

    made = target(model, ())
    inside, outside = jnp.array([1.0]), jnp.array([4.0])
    assert made.potential(inside, ()) == pytest.approx(0.5 + 0.5 * np.log(2 * np.pi))
    assert made.potential(outside, ()) == jnp.inf
