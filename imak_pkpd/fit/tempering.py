"""Tempered sequential Monte Carlo: for facts that few prior draws agree with.

Particles from the prior are led to the posterior by raising the likelihood to powers
from 0 to 1, each so much further as halves their effective number; after resampling
they are moved. Moves are preconditioned Crank-Nicolson steps, which leave a normal of
the mean and covariance of particles as it is and need no gradient: a mean over a
cohort is a staircase. Either half of the particles is moved by the normal of the other:
in the 89 dimensions of the full model that of 2,000 particles is so near to themselves
that, moved by it, they spread too far (the SD of a mean by 13 %). Sources: Del Moral,
Doucet & Jasra 2006, JRSS B 68:411; Cotter et al. 2013, Stat Sci 28:424.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

from imak_pkpd.fit.target import Target, constrain_flat, log_densities, prior_draw
from imak_pkpd.fit.weights import evenly_drawn, next_power, raised

KEEP = 0.5  # of the effective particles survive a power
MOVES = 8  # after each power
MOVES_OF_RECORDS = 16  # where patients have records: 8 left means 0.04 SD away
WANTED = 0.3  # acceptance that the step aims at: flat between 0.2 and 0.4
WIDER = 1.2  # the normal, than the particles: their tails must be within its own
ENOUGH = 10  # particles per dimension for a covariance; with fewer, SDs alone

Particles = Float[np.ndarray, "particle d"]
Column = Float[np.ndarray, " particle"]
LogLikelihood = Callable[[dict[str, np.ndarray]], Column]


class Tempered(NamedTuple):
    """Particles of the posterior as site values, and what it took.

    `powers` of the likelihood that were visited, `acceptance` of the moves at each.
    """

    sites: dict[str, np.ndarray]
    log_likelihood: Column
    log_evidence: float
    powers: tuple[float, ...]
    acceptance: tuple[float, ...]


class _Cloud(NamedTuple):
    """Unconstrained particles with their log-likelihood and log-prior."""

    x: Particles
    log_likelihood: Column
    log_prior: Column


def temper(
    target: Target,
    log_likelihood: LogLikelihood,
    particles: int,
    seed: int,
    advance: Callable[[float], None] = lambda power: None,
    moves: int = MOVES,
) -> Tempered:
    """The posterior of a prior (`target`, without arguments) and a likelihood."""
    rng = np.random.default_rng(seed)
    keys = jax.random.split(jax.random.key(seed), particles)
    x = np.stack([prior_draw(target, key, ()) for key in keys])
    ground = _Ground(target, log_likelihood)
    cloud = ground.cloud(x)
    power, evidence, step = 0.0, 0.0, 0.5
    powers, acceptance = [0.0], []
    while power < 1.0:
        further = next_power(cloud.log_likelihood, KEEP * particles, power)
        weight = raised(cloud.log_likelihood, further - power)
        evidence += float(logsumexp(weight) - np.log(particles))
        place = evenly_drawn(weight, particles, rng)
        cloud, power = _Cloud(*(each[place] for each in cloud)), further
        rulers, accepted = _rulers(cloud.x), []
        for _ in range(moves):
            cloud, share = _moved(cloud, rulers, ground, power, step, rng)
            step = float(np.clip(step * np.exp(share - WANTED), 0.01, 0.99))
            accepted.append(share)
        powers.append(power)
        acceptance.append(float(np.mean(accepted)))
        advance(power)
    return Tempered(
        ground.sites(cloud.x),
        cloud.log_likelihood,
        evidence,
        tuple(powers),
        tuple(acceptance),
    )


class _Ground(NamedTuple):
    """What particles stand on: prior and likelihood."""

    target: Target
    log_likelihood: LogLikelihood

    def cloud(self, x: Particles) -> _Cloud:
        likelihood = self.log_likelihood(self.sites(x))
        return _Cloud(x, likelihood, log_densities(self.target, (), x))

    def sites(self, x: Particles) -> dict[str, np.ndarray]:
        return constrain_flat(self.target, (), x)


class _Ruler(NamedTuple):
    """A normal around the particles: its mean, and a Cholesky factor."""

    centre: Float[np.ndarray, " d"]
    factor: Float[np.ndarray, "d d"]

    def z(self, x: Particles) -> Particles:
        return solve_triangular(self.factor, (x - self.centre).T, lower=True).T

    def x(self, z: Particles) -> Particles:
        return self.centre + z @ self.factor.T


class _Rulers(NamedTuple):
    """Those of the first `half` of the particles and of the others."""

    half: int
    first: _Ruler
    others: _Ruler

    def z(self, x: Particles) -> Particles:
        return np.concatenate(
            [self.first.z(x[: self.half]), self.others.z(x[self.half :])]
        )

    def x(self, z: Particles) -> Particles:
        return np.concatenate(
            [self.first.x(z[: self.half]), self.others.x(z[self.half :])]
        )


def _rulers(x: Particles) -> _Rulers:
    """Each of the other half. Copies of a particle stand in a row: in one half."""
    half = len(x) // 2
    return _Rulers(half, _ruler(x[half:]), _ruler(x[:half]))


def _ruler(x: Particles) -> _Ruler:
    """The normal of these particles, somewhat wider."""
    particles, size = x.shape
    variance = WIDER**2 * x.var(0) + 1e-300
    if particles < ENOUGH * size:
        return _Ruler(x.mean(0), np.diag(np.sqrt(variance)))
    covariance = WIDER**2 * np.atleast_2d(np.cov(x.T))
    # a trace of the diagonal, so that rounding leaves it positive definite
    return _Ruler(x.mean(0), np.linalg.cholesky(covariance + 1e-9 * np.diag(variance)))


def _moved(
    cloud: _Cloud,
    rulers: _Rulers,
    ground: _Ground,
    power: float,
    step: float,
    rng: np.random.Generator,
) -> tuple[_Cloud, float]:
    """One step of every particle, and the share that went.

    Each is `step` long at most: a long one is refused to particles in the tails, where
    the normal falls faster than the posterior, and a short one leads them back.
    """
    before = rulers.z(cloud.x)
    noise = rng.standard_normal(before.shape)
    steps = step * rng.random((len(before), 1))
    after = np.sqrt(1 - steps**2) * before + steps * noise
    there = ground.cloud(rulers.x(after))
    gain = raised(there.log_likelihood, power) - raised(cloud.log_likelihood, power)
    gain += there.log_prior - cloud.log_prior
    gain += 0.5 * np.sum(after**2 - before**2, 1)  # over what the normal itself would
    goes = np.log(rng.random(len(gain))) < gain
    mixed = (
        np.where(goes.reshape(-1, *(1,) * (new.ndim - 1)), new, old)
        for new, old in zip(there, cloud, strict=True)
    )
    return _Cloud(*mixed), float(goes.mean())
