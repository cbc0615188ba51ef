"""`find_mode`: where the chains start, and the curvature that gives their first metric.

The joint mode of a hierarchical model is degenerate: with every eta at 0 the density
has no bound as omega goes to 0. So omegas, correlations and covariances are held while
theta, eta, sigma and beta climb (L-BFGS), then each omega² becomes the mean of eta²
plus its posterior variance (an EM step by Laplace's approximation), a few times over.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from imak_pkpd.fit.metric import Dense, laplace_scale
from imak_pkpd.fit.target import PROGRAMS, Target, prior_draw, prior_median

HELD = ("omega", "corr", "cov", "cholesky")  # what a joint mode must not move
_TRIES = 50  # prior draws looked at before giving up
_ROUNDS = 3  # EM rounds; omegas are within some 10 % then, the sampler does the rest
_OMEGA_STEP = 5.0  # largest factor of one EM round: one bad Hessian must not end it
_STEPS = 1000  # L-BFGS iterations of one climb
# Of a difference of gradients: far below any posterior sd on these scales, and the
# rounding of a gradient (1e-12 of its terms) stays below 1e-6 of a curvature.
_STEP = 1e-5
# Accuracy of the climb: chains start a posterior sd away from it anyhow.
_RTOL, _ATOL = 1e-6, 1e-6

Vector = Float[np.ndarray, " d"]
Explain = Callable[[Vector], str]


@dataclass(frozen=True)
class Mode:
    """The place climbed to, with `hessian` of the potential there.

    `potentials` has the value each start ended at (+inf: it failed), best first.
    """

    position: Vector
    potential: float
    hessian: Dense
    potentials: tuple[float, ...]


def unexplained(position: Vector) -> str:
    """The sentence used when the caller cannot say which likelihood term fails."""
    return (
        f"no start with a finite log-density in {_TRIES} prior draws: "
        "check the units of the data against the priors of theta"
    )


def find_mode(
    target: Target,
    args: tuple,
    key: PRNGKeyArray,
    held: tuple[str, ...] = HELD,
    starts: int = 2,
    explain: Explain = unexplained,
) -> Mode:
    """The mode given the held sites, after `_ROUNDS` updates of the omegas.

    `held` are prefixes of site names. Raises a `ValueError` with the sentence of
    `explain(prior median)` when no start has a finite log-density.
    """
    free = free_coordinates(target, held)
    climb = _climber(target, held)
    update = _omega_updater(target, held)
    median = prior_median(target, args)
    begin = [
        np.where(free, start, median)
        for start in finite_starts(target, args, key, starts, explain)
    ]
    ends = sorted((climb(start, args) for start in begin), key=lambda end: end[1])
    position, _ = ends[0]
    for _ in range(0 if free.all() else _ROUNDS):
        moved = update(position, curvature(target, position, args), args)
        there, value = climb(moved, args)
        if not np.isfinite(value):
            break  # the omegas before are good enough to start from
        position = there
    return mode_at(target, position, args, tuple(end[1] for end in ends))


def mode_at(
    target: Target, position: Vector, args: tuple, potentials: tuple[float, ...]
) -> Mode:
    """The place with its potential and curvature; `potentials` as in `Mode`."""
    potential = float(target.evaluate(position, args)[0])
    return Mode(position, potential, curvature(target, position, args), potentials)


def finite_starts(
    target: Target, args: tuple, key: PRNGKeyArray, count: int, explain: Explain
) -> list[Vector]:
    """Up to `count` places with a finite density: the prior median, then between it
    and prior draws."""
    median = prior_median(target, args)
    found = [median] if np.isfinite(target.evaluate(median, args)[0]) else []
    for subkey in jax.random.split(key, _TRIES):
        if len(found) >= count:
            break
        candidate = 0.5 * (median + prior_draw(target, subkey, args))
        if np.isfinite(target.evaluate(candidate, args)[0]):
            found.append(candidate)
    if not found:
        raise ValueError(explain(median))
    return found


def curvature(target: Target, position: Vector, args: tuple) -> Dense:
    """Second derivatives of the potential: central differences of exact gradients.

    Forward over reverse costs as many gradients, and minutes of compilation for an ODE
    of six states. The identity where one is not finite: the sampler then has to learn
    its metric from draws.
    """

    def slope(move: Vector) -> Vector:
        return np.asarray(target.evaluate(position + move, args)[1])

    steps = _STEP * np.eye(target.size)
    with np.errstate(invalid="ignore"):  # inf - inf: the identity is returned below
        rows = np.stack([slope(step) - slope(-step) for step in steps]) / (2 * _STEP)
    return 0.5 * (rows + rows.T) if np.isfinite(rows).all() else np.eye(len(rows))


@lru_cache(maxsize=PROGRAMS)
def _climber(
    target: Target, held: tuple[str, ...]
) -> Callable[[Vector, tuple], tuple[Vector, float]]:
    """L-BFGS over the free coordinates; a step into +inf is halved till finite."""
    free = free_coordinates(target, held)
    solver: optx.LBFGS = optx.LBFGS(rtol=_RTOL, atol=_ATOL)

    def objective(y: Array, rest: tuple[Array, tuple]) -> Float[Array, ""]:
        position, args = rest
        return target.potential(position.at[free].set(y), args)

    @jax.jit
    def climb(position: Array, args: tuple) -> tuple[Array, Array]:
        end: optx.Solution = optx.minimise(
            objective,
            solver,
            position[free],
            args=(position, args),
            max_steps=_STEPS,
            throw=False,
        )
        best = position.at[free].set(end.value)
        return best, target.potential(best, args)

    def run(position: Vector, args: tuple) -> tuple[Vector, float]:
        best, potential = climb(jnp.asarray(position), args)
        return np.asarray(best), float(potential)

    return run


@lru_cache(maxsize=PROGRAMS)
def _omega_updater(
    target: Target, held: tuple[str, ...]
) -> Callable[[Vector, Dense, tuple], Vector]:
    """omega_p² = mean over subjects of eta_p² + its posterior variance."""
    free = free_coordinates(target, held)

    @jax.jit
    def update(position: Array, spread: Array, args: tuple) -> Array:
        values = target.constrain(position, args)
        omegas = {p: values[f"omega_{p}"] for p in _effects(target, values)}

        def etas(x: Array) -> dict[str, Array]:
            at = target.constrain(x, args)
            return {p: at[f"eta_{p}"].ravel() for p in omegas}

        slopes = jax.jacfwd(etas)(position)
        squares = {
            p: eta**2 + jnp.sum((slopes[p] @ spread) ** 2, axis=1)
            for p, eta in etas(position).items()
        }
        moved = {
            f"omega_{p}": old * _limited(jnp.sqrt(squares[p].mean()) / old)
            for p, old in omegas.items()
        }
        return target.replace(position, moved, args)

    def run(position: Vector, hessian: Dense, args: tuple) -> Vector:
        spread = np.zeros((target.size, int(free.sum())))
        spread[free] = laplace_scale(hessian[np.ix_(free, free)], dense=True)
        return np.asarray(update(jnp.asarray(position), spread, args))

    return run


def _effects(target: Target, values: Mapping[str, Array]) -> list[str]:
    """Parameters with a sampled scalar omega_p and an eta_p."""
    named = [n.removeprefix("omega_") for n in target.sites if n.startswith("omega_")]
    return [p for p in named if f"eta_{p}" in values and values[f"omega_{p}"].ndim == 0]


def _limited(factor: Array) -> Array:
    return jnp.clip(factor, 1.0 / _OMEGA_STEP, _OMEGA_STEP)


def free_coordinates(target: Target, held: tuple[str, ...]) -> Bool[np.ndarray, " d"]:
    """Which coordinates a climb moves."""
    free = np.ones(target.size, bool)
    for name, part in target.sites.items():
        free[part] = not name.startswith(held)
    return free
