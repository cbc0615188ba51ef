"""Tempered particles against quadrature, in twice the dimensions of the full model."""

import numpy as np
import numpyro
import numpyro.distributions as dist
from scipy.special import expit, logsumexp
from scipy.stats import binom

from imak_pkpd.fit.target import target
from imak_pkpd.fit.tempering import Tempered, temper

SIZE, PARTICLES, SEEDS = 167, 2000, (1, 2, 3)
SHARE = 1 / np.sqrt(8)


def prior() -> None:
    numpyro.sample("x", dist.Normal(0.0, 1.0).expand([SIZE]).to_event(1))


def two_sums(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standard normals of the prior, of eight dimensions each."""
    return SHARE * x[..., :8].sum(-1), SHARE * x[..., 8:16].sum(-1)


def facts(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Counts as they are published of 33 patients."""
    return (
        binom.logpmf(23, 33, expit(1.2 * u))
        + binom.logpmf(0, 33, expit(-4 + 1.5 * v))
        + binom.logpmf(33, 33, expit(1.5 + 1.5 * v + 0.5 * u))
    )


def by_quadrature() -> tuple[float, float, float]:
    """Mean and SD of the share of remissions, and the log evidence."""
    axis = np.linspace(-7, 7, 1401)
    u, v = np.meshgrid(axis, axis, indexing="ij")
    density = facts(u, v) - 0.5 * (u**2 + v**2) - np.log(2 * np.pi)
    evidence = logsumexp(density) + 2 * np.log(axis[1] - axis[0])
    weight, share = np.exp(density - logsumexp(density)), expit(1.2 * u)
    mean = np.sum(weight * share)
    return mean, np.sqrt(np.sum(weight * (share - mean) ** 2)), evidence


def tempered(seed: int) -> Tempered:
    def log_likelihood(sites: dict[str, np.ndarray]) -> np.ndarray:
        return facts(*two_sums(sites["x"]))

    return temper(target(prior, ()), log_likelihood, PARTICLES, seed)


def test_many_dimensions_on_paper() -> None:
    """Within 4 standard errors, a particle that was moved being worth half a draw.

    A normal fitted to the very particles that it moves made this SD 13 % too large.
    """
    mean, sd, evidence = by_quadrature()
    found = [tempered(seed) for seed in SEEDS]
    worth = len(SEEDS) * PARTICLES / 2
    share = np.concatenate([expit(1.2 * two_sums(f.sites["x"])[0]) for f in found])
    assert abs(share.mean() - mean) < 4 * sd / np.sqrt(worth)
    assert abs(share.std() / sd - 1) < 4 / np.sqrt(2 * worth)
    untouched = np.concatenate([f.sites["x"][:, 16:] for f in found])
    many = untouched.shape[1] * worth
    assert abs(untouched.std() - 1) < 4 / np.sqrt(2 * many)
    # each of some four powers halves the effective particles: errors of 1/√particles
    error = np.sqrt(len(found[0].powers) / PARTICLES / len(SEEDS))
    assert abs(np.mean([f.log_evidence for f in found]) - evidence) < 4 * error
