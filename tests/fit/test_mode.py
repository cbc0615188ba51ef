"""The climb and the curvature, against linear algebra and an EM written out here."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from imak_pkpd.fit.estimation import EstimationBlock
from imak_pkpd.fit.mode import find_mode
from imak_pkpd.fit.start import make_start
from imak_pkpd.fit.target import prior_median, target

SUBJECTS, REPEATS, SIGMA, PRIOR = 30, 4, 0.3, 2.0
_rng = np.random.default_rng(5)
DATA = (
    1.5
    + _rng.normal(0, 0.5, (SUBJECTS, 1))
    + _rng.normal(0, SIGMA, (SUBJECTS, REPEATS))
)


def hierarchical(y: jax.Array) -> None:
    """Known residual SD, so that theta and eta given omega are a linear problem."""
    theta = numpyro.sample("theta_a", dist.Normal(0.0, PRIOR))
    omega = numpyro.sample("omega_a", dist.HalfNormal(1.0))
    with numpyro.plate("patient", SUBJECTS):
        eta = numpyro.sample("eta_a", dist.Normal(0.0, omega))
    mean = (theta + eta)[:, None]
    numpyro.factor("likelihood", dist.Normal(mean, SIGMA).log_prob(y).sum())


def precision(omega: float) -> np.ndarray:
    """The Hessian in (eta, theta), from the normal equations."""
    data = REPEATS / SIGMA**2
    matrix = np.diag(np.full(SUBJECTS + 1, data + 1 / omega**2))
    matrix[-1, :] = matrix[:, -1] = data
    matrix[-1, -1] = SUBJECTS * data + 1 / PRIOR**2
    return matrix


def best(omega: float) -> np.ndarray:
    """eta and theta at the mode given omega."""
    sums = DATA.sum(1) / SIGMA**2
    return np.linalg.solve(precision(omega), np.append(sums, sums.sum()))


def em(omega: float, rounds: int) -> float:
    for _ in range(rounds):
        eta = best(omega)[:-1]
        variance = np.diag(np.linalg.inv(precision(omega)))[:-1]
        omega = float(np.sqrt(np.mean(eta**2 + variance)))
    return omega


def test_theta_and_eta_climb_and_omega_follows_by_em() -> None:
    density = target(hierarchical, (DATA,))
    start = np.exp(prior_median(density, (DATA,))[density.sites["omega_a"]][0])
    mode = find_mode(density, (DATA,), jax.random.key(0))
    omega = float(np.exp(mode.position[density.sites["omega_a"]][0]))
    # the climb stops at steps below 1e-6, the EM step is smooth in where it stops
    assert omega == pytest.approx(em(start, 3), rel=1e-4)
    found = mode.position[[*range(SUBJECTS), SUBJECTS + 1]]  # eta, omega, theta
    np.testing.assert_allclose(found, best(omega), atol=1e-4)
    inner = np.ix_([*range(SUBJECTS), SUBJECTS + 1], [*range(SUBJECTS), SUBJECTS + 1])
    np.testing.assert_allclose(mode.hessian[inner], precision(omega), rtol=1e-6)
    assert mode.potentials[0] == pytest.approx(mode.potentials[1], abs=1e-6)


def test_standardised_effects_lead_to_the_same_omega() -> None:
    def standardised(y: jax.Array) -> None:
        theta = numpyro.sample("theta_a", dist.Normal(0.0, PRIOR))
        omega = numpyro.sample("omega_a", dist.HalfNormal(1.0))
        with numpyro.plate("patient", SUBJECTS):
            z = numpyro.sample("z_a", dist.Normal(0.0, 1.0))
        eta = numpyro.deterministic("eta_a", omega * z)
        mean = (theta + eta)[:, None]
        numpyro.factor("likelihood", dist.Normal(mean, SIGMA).log_prob(y).sum())

    density = target(standardised, (DATA,))
    start = np.exp(prior_median(density, (DATA,))[density.sites["omega_a"]][0])
    mode = find_mode(density, (DATA,), jax.random.key(0))
    omega = float(np.exp(mode.position[density.sites["omega_a"]][0]))
    assert omega == pytest.approx(em(start, 3), rel=1e-4)


def wall(x: jax.Array) -> jax.Array:
    return jnp.where(x > 2.0, -jnp.inf, 0.0)


# As a failing solve: no density above 2, and no slope.
cliff = jax.custom_vjp(wall)
cliff.defvjp(lambda x: (wall(x), None), lambda _, slope: (jnp.zeros_like(slope),))


def test_the_climb_survives_failing_solves() -> None:
    """A steep start throws the first steps far beyond the cliff."""

    def walled(y: jax.Array) -> None:
        x = numpyro.sample("x", dist.Normal(0.0, 10.0))
        numpyro.factor("likelihood", dist.Normal(x, 0.01).log_prob(y) + cliff(x))

    mode = find_mode(target(walled, (1.5,)), (1.5,), jax.random.key(1), starts=4)
    expected = (1.5 / 0.01**2) / (1 / 0.01**2 + 1 / 10.0**2)
    assert mode.position[0] == pytest.approx(expected, abs=1e-6)
    assert mode.hessian[0, 0] == pytest.approx(1 / 0.01**2 + 1 / 10.0**2, rel=1e-6)


def impossible(y: jax.Array) -> None:
    x = numpyro.sample("x", dist.Normal(0.0, 1.0))
    numpyro.factor("likelihood", jnp.where(x > 50.0, 0.0, -jnp.inf) * y)


@pytest.mark.parametrize("start", ["map", "prior"])
def test_no_finite_start_is_one_sentence_of_the_caller(start: str) -> None:
    density = target(impossible, (1.0,))
    estimation = EstimationBlock(start=start)
    with pytest.raises(ValueError, match="subject 3 cannot be solved"):
        make_start(
            density,
            (1.0,),
            estimation,
            jax.random.key(0),
            explain=lambda position: "subject 3 cannot be solved",
        )


def test_starts_spread_like_the_posterior() -> None:
    density = target(hierarchical, (DATA,))
    estimation = EstimationBlock(chains=400)
    start = make_start(density, (DATA,), estimation, jax.random.key(2))
    inverse = np.linalg.inv(start.scale)
    white = (start.positions - start.positions.mean(0)) @ inverse.T
    # 400 starts: the error of an SD is 3.5 %, the largest of 32 within four of them
    np.testing.assert_allclose(white.std(0), 1.0, atol=0.14)
