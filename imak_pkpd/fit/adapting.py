"""Adapted importance sampling: independent draws, led to facts far from the prior.

1. Weigh all draws so far, the likelihood raised to the power that leaves enough of them
   effective.
2. Propose more from a normal of their mean and covariance. Only directions in which
   the covariance is told from the prior's have it: in a hundred dimensions an estimate
   of all of it would cost most of the weights.
3. Weigh each draw, of the prior too, against the mixture of all that proposed them. The
   prior's part in it bounds every weight.

Sources: Cornuet et al. 2012, Scand J Stat 39:798 (all draws, weighed by the mixture);
Veach & Guibas 1995, SIGGRAPH 419 (the balance of a mixture); Marchenko & Pastur 1967,
Mat Sb 72:507 (the spread of the variances of noise).
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from imak_pkpd.fit.target import Target, constrain_flat, log_densities
from imak_pkpd.fit.tempering import WIDER
from imak_pkpd.fit.weights import effective, next_power, raised

PER_DIMENSION = 5.0  # effective draws behind a covariance: noise has SDs of 1 +- 0.45
ROUNDS = 12  # of proposals, at the most

Column = Float[np.ndarray, " draw"]
Positions = Float[np.ndarray, "draw d"]
Sites = Mapping[str, np.ndarray]
LogLikelihood = Callable[[Sites], Column]


class Pool(NamedTuple):
    """Draws by `proposals` normals and the prior, and ln (prior / what proposed them).

    `log_likelihood` is -inf of a draw that could not be solved.
    """

    sites: Sites
    log_likelihood: Column
    log_ratio: Column
    proposals: int = 0

    @property
    def log_weight(self) -> Column:
        return self.log_likelihood + self.log_ratio

    @property
    def ess(self) -> float:
        """How many draws of the posterior they are worth."""
        return effective(self.log_weight)


def prior_pool(sites: Sites, log_likelihood: Column) -> Pool:
    """Draws of the prior itself."""
    return Pool(sites, log_likelihood, np.zeros(len(log_likelihood)))


def adapt(
    target: Target,
    log_likelihood: LogLikelihood,
    prior: Pool,
    wanted: float,
    seed: int,
    advance: Callable[[float, float], None] = lambda power, ess: None,
) -> Pool:
    """A pool worth `wanted` draws, from draws of the prior (`target`, no arguments).

    Each round proposes as many as those. After `ROUNDS` it is worth fewer: `ess` tells.
    """
    rng, ground = np.random.default_rng(seed), _Ground.of(target, prior.sites)
    z = ground.positions(prior.sites)
    cloud = ground.cloud(z, prior.sites, prior.log_likelihood)
    pool, normals = prior, list[_Normal]()
    enough = min(PER_DIMENSION * target.size, len(prior.log_ratio) / 2)
    while pool.ess < wanted and len(normals) < ROUNDS:
        power = next_power(pool.log_likelihood, enough, 0.0, pool.log_ratio)
        weight = raised(pool.log_likelihood, power) + pool.log_ratio
        normals.append(normal_of(cloud.z, np.exp(weight - logsumexp(weight))))
        z = normals[-1].draws(len(prior.log_ratio), rng)
        sites = ground.sites(z)
        cloud = cloud.and_those(ground.cloud(z, sites, log_likelihood(sites)))
        pool = Pool(
            cloud.sites, cloud.log_likelihood, _log_ratio(cloud, normals), len(normals)
        )
        advance(power, pool.ess)
    return pool


class _Cloud(NamedTuple):
    """Draws so far, `z` in prior SDs, with the log of the prior's density there."""

    z: Positions
    sites: Sites
    log_prior: Column
    log_likelihood: Column

    def and_those(self, more: "_Cloud") -> "_Cloud":
        return jax.tree.map(lambda *both: np.concatenate(both), self, more)


class _Ground(NamedTuple):
    """What draws stand on: the prior, and its mean and SDs, unconstrained."""

    target: Target
    centre: Float[np.ndarray, " d"]
    scale: Float[np.ndarray, " d"]

    @classmethod
    def of(cls, target: Target, prior: Sites) -> "_Ground":
        plain = cls(target, np.zeros(target.size), np.ones(target.size))
        x = plain.positions(prior)
        return cls(target, x.mean(0), x.std(0) + 1e-300)

    def positions(self, sites: Sites) -> Positions:
        """Draws of all latent sites in prior SDs."""
        latent = {name: jnp.asarray(sites[name]) for name, _ in self.target.shapes}
        start = jnp.zeros(self.target.size)
        one = jax.jit(jax.vmap(lambda v: self.target.replace(start, v, ())))
        return (np.asarray(one(latent)) - self.centre) / self.scale

    def cloud(self, z: Positions, sites: Sites, log_likelihood: Column) -> _Cloud:
        density = log_densities(self.target, (), self.x(z))
        return _Cloud(z, sites, density + np.log(self.scale).sum(), log_likelihood)

    def x(self, z: Positions) -> Positions:
        return self.centre + self.scale * z

    def sites(self, z: Positions) -> Sites:
        return constrain_flat(self.target, (), self.x(z))


class _Normal(NamedTuple):
    """A normal: its mean, and directions in which its SD is not 1."""

    centre: Float[np.ndarray, " d"]
    direction: Float[np.ndarray, "d k"]
    sd: Float[np.ndarray, " k"]

    def draws(self, number: int, rng: np.random.Generator) -> Positions:
        return self.centre + self._stretched(
            rng.standard_normal((number, len(self.centre))), self.sd
        )

    def log_density(self, z: Positions) -> Column:
        noise = self._stretched(z - self.centre, 1 / self.sd)
        constant = 0.5 * z.shape[1] * np.log(2 * np.pi) + np.log(self.sd).sum()
        return -0.5 * np.sum(noise**2, 1) - constant

    def _stretched(self, z: Positions, by: Float[np.ndarray, " k"]) -> Positions:
        along = z @ self.direction
        return z + (along * (by - 1)) @ self.direction.T


def normal_of(z: Positions, weight: Column) -> _Normal:
    """The normal of weighted draws in prior SDs; 1 where noise explains its SD."""
    centre = weight @ z
    away = (z - centre) * np.sqrt(weight)[:, None]
    variance, direction = np.linalg.eigh(away.T @ away)
    noise = np.sqrt(z.shape[1] * np.sum(weight**2))  # √(dimensions / ESS)
    told = (variance < (1 - min(noise, 1.0)) ** 2) | (variance > (1 + noise) ** 2)
    wider = np.minimum(WIDER**2 * variance, np.maximum(variance, 1.0))
    return _Normal(centre, direction[:, told], np.sqrt(wider[told]))


def _log_ratio(cloud: _Cloud, normals: list[_Normal]) -> Column:
    """Prior over the mixture of what proposed the draws, as many each."""
    parts = [cloud.log_prior, *(normal.log_density(cloud.z) for normal in normals)]
    return cloud.log_prior - logsumexp(np.stack(parts), axis=0) + np.log(len(parts))
