"""Bent coordinates: their maps by automatic differentiation, what bends them on paper,
and a ridge whose moments are known."""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from arviz_stats.base import array_stats
from hypothesis import given, settings, strategies as st

from imak_pkpd.fit.bend import (
    SOFTNESS,
    Bend,
    bent,
    learnt_bend,
    log_stretch,
    slope_along,
    straight,
    unbent,
)
from imak_pkpd.fit.estimation import EstimationBlock
from imak_pkpd.fit.profile import profile_bend
from imak_pkpd.fit.sample import sample
from imak_pkpd.fit.target import target

BENDS = st.builds(
    lambda centre, softness, side: Bend(*np.array([[centre], [softness], [side]])),
    st.floats(-3, 3),
    st.sampled_from((*SOFTNESS, np.inf)),
    st.sampled_from((1.0, -1.0)),
)
PLACES = st.floats(-4, 4).map(lambda x: np.array([x]))


@given(BENDS, PLACES)
@settings(max_examples=60, deadline=None)
def test_there_and_back(bend: Bend, x: np.ndarray) -> None:
    # a value e^8 times its softness loses ten digits of twenty: 1e-9 of a logarithm
    np.testing.assert_allclose(bent(bend, unbent(bend, x)), x, atol=1e-7)


@given(BENDS, PLACES)
@settings(max_examples=60, deadline=None)
def test_the_stretch_is_the_derivative(bend: Bend, x: np.ndarray) -> None:
    steep = jax.jacfwd(lambda at: unbent(bend, at))(x)[0, 0]
    assert log_stretch(bend, x)[0] == pytest.approx(-np.log(steep), abs=1e-9)


@given(BENDS)
@settings(max_examples=30, deadline=None)
def test_to_first_order_nothing_moves(bend: Bend) -> None:
    np.testing.assert_allclose(unbent(bend, bend.centre), bend.centre, atol=1e-12)
    np.testing.assert_allclose(log_stretch(bend, bend.centre), 0.0, atol=1e-12)


@given(BENDS, st.floats(-2, 2).map(lambda u: np.array([u])))
@settings(max_examples=60, deadline=None)
def test_the_slope_is_that_of_the_density_in_u(bend: Bend, u: np.ndarray) -> None:
    """The density in u is that in x times dx/du, here by automatic differentiation."""
    potential = lambda x: jnp.sum(0.5 * (x - 1.0) ** 2 + 0.1 * x**4)  # noqa: E731

    def in_u(u: jax.Array) -> jax.Array:
        x = bent(bend, u)
        return potential(x) - jnp.sum(log_stretch(bend, x))

    x = bent(bend, bend.centre + u)
    found = slope_along(bend, x, jax.grad(potential)(x))
    np.testing.assert_allclose(
        found, jax.grad(in_u)(bend.centre + u), rtol=1e-6, atol=1e-8
    )


def of_value(x: jax.Array) -> jax.Array:
    """A normal of exp(x), one quarter wide."""
    return jnp.sum(0.5 * ((jnp.exp(x) - 1.0) / 0.25) ** 2)


def of_inverse(x: jax.Array) -> jax.Array:
    return of_value(-x)


def of_logarithm(x: jax.Array) -> jax.Array:
    return jnp.sum(0.5 * (x / 0.25) ** 2)


def two_rates(x: jax.Array) -> jax.Array:
    """Only the difference of the rates exp(x) is known well; each by a normal."""
    growth, death = jnp.exp(x)
    return 0.5 * (
        ((growth - death - 1.0) / 0.02) ** 2
        + ((growth - 2.0) / 0.4) ** 2
        + ((death - 1.0) / 0.4) ** 2
    )


@pytest.mark.parametrize(
    ("potential", "centre", "side"),
    [
        (of_value, [0.0], [1.0]),
        (of_inverse, [0.0], [-1.0]),
        (of_logarithm, [0.0], [0.0]),
        (two_rates, [np.log(2.0), 0.0], [1.0, 1.0]),
    ],
)
def test_the_profile_says_on_which_scale_a_normal_is(
    potential: Callable, centre: list[float], side: list[float]
) -> None:
    at = np.array(centre)
    scale = np.linalg.cholesky(np.linalg.inv(jax.hessian(potential)(at)))

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = jax.value_and_grad(potential)(x)
        return float(value), np.asarray(gradient)

    found = profile_bend(evaluate, at, scale, np.ones(len(at), bool))
    none = profile_bend(evaluate, at, scale, np.zeros(len(at), bool))
    bends = np.isfinite(found.softness)
    np.testing.assert_array_equal(np.where(bends, found.side, 0.0), side)
    assert (found.softness[bends] <= 0.3).all()  # the value itself where it is
    assert np.isinf(none.softness).all()


def test_draws_say_it_too_and_noise_says_nothing() -> None:
    rng = np.random.default_rng(3)
    known = np.maximum(rng.normal(1.0, 0.25, 800), 0.05)
    draws = np.stack(
        [np.log(known), -np.log(known), rng.normal(0.0, 0.25, 800), np.log(known)], 1
    )
    single = np.array([True, True, True, False])
    draws = draws.reshape(4, 200, 4)
    found = learnt_bend(straight(4), draws, single)
    assert np.isfinite(found.softness).tolist() == [True, True, False, False]
    assert found.side[:2].tolist() == [1.0, -1.0]
    again = learnt_bend(found, draws, single)
    for leaf, same in zip(again, found, strict=True):
        np.testing.assert_array_equal(leaf, same)


def test_what_is_no_logarithm_stays_as_it_is() -> None:
    """A skewed number of some thousands: its exponential overflows."""
    draws = -1000.0 * np.random.default_rng(4).gamma(2.0, size=(4, 200, 1))
    found = learnt_bend(straight(1), draws, np.ones(1, bool))
    assert np.isinf(found.softness).all()


def ridge(width: jax.Array) -> None:
    """Growth and death, of which the difference is known to `width`."""
    log = {n: numpyro.sample(n, dist.Normal(0.0, 3.0)) for n in ("growth", "death")}
    growth, death = (jnp.exp(log[name]) for name in ("growth", "death"))
    numpyro.factor("known", -0.5 * ((growth - death - 1.0) / width) ** 2)
    numpyro.factor("value", -0.5 * ((death - 0.5) / 0.12) ** 2)
    numpyro.factor("scale", log["growth"] + log["death"])  # flat in the rates


@pytest.mark.parametrize("start", ["map", "prior"])
def test_moments_along_a_ridge(tmp_path: Path, start: str) -> None:
    """Against quadrature; from the prior the bend is learnt from draws alone."""
    density, args = target(ridge, (0.02,)), (0.02,)
    block = EstimationBlock(
        chains=4,
        warmup=400,
        draws=600,
        bend=True,
        start=start,  # type: ignore[arg-type]
    )
    draws = sample(density, args, block, tmp_path / "run", {"model": "ridge"})
    death = draws.positions[..., density.sites["death"]][..., 0]
    grid = np.linspace(-7.0, 1.0, 4001)  # ln death; growth is 1 + death to 2 %
    with np.errstate(under="ignore"):
        weight = np.exp(
            -0.5 * ((np.exp(grid) - 0.5) / 0.12) ** 2
            - 0.5 * (grid / 3.0) ** 2
            - 0.5 * (np.log1p(np.exp(grid)) / 3.0) ** 2
            + grid  # flat in death; in growth as well, whose logarithm is that narrower
        )
    mean = np.average(grid, weights=weight)
    sd = np.sqrt(np.average((grid - mean) ** 2, weights=weight))
    # three Monte Carlo standard errors, of the mean and of the mean square
    for seen, true in ((death, mean), ((death - mean) ** 2, sd**2)):
        worth = array_stats.ess(seen, chain_axis=0, draw_axis=1)
        assert worth > 200
        assert seen.mean() == pytest.approx(true, abs=3 * seen.std() / np.sqrt(worth))
    assert not draws.statistics["diverging"].any()
