"""Adapted draws against linear models, whose posterior and evidence are on paper."""

from functools import partial

import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy.stats import multivariate_normal, norm

from imak_pkpd.fit.adapting import (
    ROUNDS,
    Pool,
    adapt,
    normal_of,
    prior_pool,
)
from imak_pkpd.fit.sites import draws_of
from imak_pkpd.fit.target import target
from imak_pkpd.fit.weights import (
    effective,
    next_power,
    weighted_error,
    weighted_moments,
)

SIZE, DRAWS, WANTED = 30, 2000, 1500
# Two facts: the sum of the first three is 6 (of a prior SD 1.7), the fourth is -3.
FACTS = np.zeros((2, SIZE))
FACTS[0, :3] = FACTS[1, 3] = 1.0
VALUES, ERRORS = np.array([6.0, -3.0]), np.array([0.3, 0.2])


def prior() -> None:
    """Half of them log-normal: a normal of another mean and SD, unconstrained."""
    for i in range(SIZE):
        if i % 2:
            numpyro.sample(f"x{i:02}", dist.Normal(0.0, 1.0))
        else:
            numpyro.sample(f"x{i:02}", dist.LogNormal(1.0, 2.0))


def standard(sites: dict[str, np.ndarray]) -> np.ndarray:
    """In prior SDs, [draw, SIZE]."""
    return np.stack(
        [
            sites[f"x{i:02}"] if i % 2 else (np.log(sites[f"x{i:02}"]) - 1.0) / 2.0
            for i in range(SIZE)
        ],
        -1,
    )


def log_likelihood(sites: dict[str, np.ndarray]) -> np.ndarray:
    return norm.logpdf(standard(sites) @ FACTS.T, VALUES, ERRORS).sum(1)


def exact() -> tuple[np.ndarray, np.ndarray, float]:
    """Mean and SDs of the posterior, and the log evidence: linear and normal."""
    total = FACTS @ FACTS.T + np.diag(ERRORS**2)
    gain = FACTS.T @ np.linalg.inv(total)
    sd = np.sqrt(np.diag(np.eye(SIZE) - gain @ FACTS))
    evidence = multivariate_normal.logpdf(VALUES, np.zeros(2), total)
    return gain @ VALUES, sd, float(evidence)


def adapted(seed: int, likelihood=log_likelihood, wanted: float = WANTED) -> Pool:
    drawn = draws_of(prior, DRAWS, seed)
    first = prior_pool(drawn, likelihood(drawn))
    return adapt(target(prior, ()), likelihood, first, wanted, seed)


def test_a_far_posterior_on_paper() -> None:
    """Means, SDs and evidence within 4 of the errors that the weights say."""
    drawn = draws_of(prior, DRAWS, 1)
    assert effective(log_likelihood(drawn)) < 5
    pool = adapted(1)
    assert pool.ess > WANTED
    assert 1 < pool.proposals <= ROUNDS
    assert len(pool.log_ratio) == DRAWS * (1 + pool.proposals)
    mean, sd, evidence = exact()
    weight = pool.log_weight
    found = np.exp(weight).mean()
    error = np.exp(weight).std() / np.sqrt(len(weight))
    assert abs(found - np.exp(evidence)) < 4 * error
    normalised = weight - np.log(np.exp(weight).sum())
    for column, m, s in zip(standard(dict(pool.sites)).T, mean, sd, strict=True):
        got, spread = weighted_moments(column, normalised)
        assert abs(got - m) < 4 * weighted_error(column, normalised, got)
        assert abs(spread / s - 1) < 4 / np.sqrt(2 * pool.ess)


def test_errors_said_are_those_made() -> None:
    """z of the first mean over 30 seeds: RMS within 4 of its own error, 1/√60."""
    mean, _, _ = exact()

    def z(seed: int) -> float:
        pool = adapted(seed)
        weight = pool.log_weight - np.log(np.exp(pool.log_weight).sum())
        column = standard(dict(pool.sites))[:, 0]
        got, _ = weighted_moments(column, weight)
        return (got - mean[0]) / weighted_error(column, weight, got)

    rms = np.sqrt(np.mean([z(seed) ** 2 for seed in range(30)]))
    assert rms < 1 + 4 / np.sqrt(60)


def test_prior_draws_that_suffice_are_left_alone() -> None:
    near = partial(np.full, fill_value=-1.0)
    pool = adapted(2, lambda sites: near(len(sites["x00"])), wanted=DRAWS / 2)
    assert pool.proposals == 0
    np.testing.assert_array_equal(pool.log_ratio, 0.0)


def test_the_prior_bounds_every_weight() -> None:
    """Its share of the mixture is one in (1 + proposals)."""
    pool = adapted(3)
    assert pool.log_ratio.max() <= np.log(1 + pool.proposals) + 1e-9


def test_unsolved_draws_have_no_weight_and_are_kept() -> None:
    """Half the space cannot be solved: the other half has all the weight."""

    def half(sites: dict[str, np.ndarray]) -> np.ndarray:
        broken = sites["x05"] > 0
        return np.where(broken, -np.inf, log_likelihood(sites))

    pool = adapted(4, half)
    lost = np.isneginf(pool.log_likelihood)
    assert 0.1 < lost.mean() < 0.6
    assert np.isneginf(pool.log_weight[lost]).all()
    assert np.isfinite(pool.log_weight[~lost]).all()


def test_a_fact_out_of_reach_ends_with_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """No round brings the ESS that was asked for: the rounds end, and it is said."""
    monkeypatch.setattr("imak_pkpd.fit.adapting.ROUNDS", 2)
    pool = adapted(5, wanted=1e9)
    assert pool.proposals == 2
    assert pool.ess < 1e9


def test_a_normal_has_the_told_directions_only() -> None:
    """Of 4,000 draws in 100 dimensions whose first has SD 0.2 and mean 3."""
    rng = np.random.default_rng(6)
    z = rng.standard_normal((4000, 100))
    z[:, 0] = 3.0 + 0.2 * z[:, 0]
    normal = normal_of(z, np.full(4000, 1 / 4000))
    assert normal.sd == pytest.approx([0.24], rel=0.05)  # wider by a fifth
    assert abs(normal.direction[0, 0]) > 0.99
    assert normal.centre[0] == pytest.approx(3.0, abs=0.02)
    at = normal.draws(5, rng)
    own = normal.direction * (normal.sd**2 - 1) @ normal.direction.T
    law = multivariate_normal(normal.centre, np.eye(100) + own)  # by SciPy, in full
    np.testing.assert_allclose(normal.log_density(at), law.logpdf(at), rtol=1e-9)
    drawn = normal.draws(20_000, rng)
    assert drawn[:, 0].std() == pytest.approx(0.24, rel=0.05)


def test_the_power_leaves_enough() -> None:
    rng = np.random.default_rng(7)
    log_likelihood = -0.5 * (40 * rng.standard_normal(5000)) ** 2
    power = next_power(log_likelihood, 500.0)
    assert 0 < power < 1
    assert effective(power * log_likelihood) == pytest.approx(500.0, rel=1e-6)
    assert next_power(log_likelihood, 1.0) == 1.0
