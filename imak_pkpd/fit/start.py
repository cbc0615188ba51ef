"""Where the chains begin: `make_start`, from the mode or from the prior."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from imak_pkpd.fit.bend import Bend, bend_arrays, straight
from imak_pkpd.fit.estimation import EstimationBlock
from imak_pkpd.fit.metric import DENSE_LIMIT, Scale, laplace_scale
from imak_pkpd.fit.mode import (
    HELD,
    Explain,
    Mode,
    find_mode,
    finite_starts,
    free_coordinates,
    unexplained,
)
from imak_pkpd.fit.profile import profile_bend
from imak_pkpd.fit.target import Target

_OUTLIER = 3.0  # SDs of the potential: 1 of 700 draws of a normal is farther out
_PULLED_BACK = 0.7 ** np.arange(12)  # a draw that is typical at once stays whole

Positions = Float[np.ndarray, "chain d"]


@dataclass(frozen=True)
class Start:
    """Positions of the chains, their first metric and bend, and what the climb reached.

    `potentials`: the potential that each climb ended at, best first; empty when the
    chains start from the prior. `mode`: where they ended, None from the prior and from
    a checkpoint.
    """

    positions: Positions
    scale: Scale
    bend: Bend
    potentials: tuple[float, ...]
    mode: Mode | None = None


def make_start(
    target: Target,
    args: tuple,
    estimation: EstimationBlock,
    key: PRNGKeyArray,
    held: tuple[str, ...] = HELD,
    explain: Explain = unexplained,
) -> Start:
    """Starts with finite density, one per chain.

    Raises a `ValueError` with the sentence of `explain` when there is none.
    """
    climb_key, jitter_key = start_keys(key)
    dense = is_dense(estimation, target.size)
    if estimation.start == "prior":
        found = finite_starts(target, args, climb_key, estimation.chains, explain)
        positions = np.stack([found[i % len(found)] for i in range(estimation.chains)])
        scale = np.eye(target.size) if dense else np.ones(target.size)
        return Start(positions, scale, straight(target.size), ())
    mode = find_mode(target, args, climb_key, held, explain=explain)
    if not np.isfinite(mode.potential):
        raise ValueError(explain(mode.position))
    return start_at(target, args, mode, estimation, jitter_key, held)


def start_at(
    target: Target,
    args: tuple,
    mode: Mode,
    estimation: EstimationBlock,
    key: PRNGKeyArray,
    held: tuple[str, ...] = HELD,
) -> Start:
    """Starts around a mode, and the metric and bend that it gives."""
    scale = laplace_scale(mode.hessian, is_dense(estimation, target.size))
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    centre, chains = mode.position, estimation.chains
    positions = typical_draws(target, args, centre, scale, chains, rng)
    bend = straight(target.size)
    if estimation.bend:
        bend = _bend(target, args, mode, held)
    return Start(positions, scale, bend, mode.potentials, mode)


def _bend(target: Target, args: tuple, mode: Mode, held: tuple[str, ...]) -> Bend:
    """Of what is not held at a mode: of an SD it is no mode."""

    def evaluate(position: Positions) -> tuple[float, Positions]:
        value, gradient = target.evaluate(position, args)
        return float(value), np.asarray(gradient)

    free = free_coordinates(target, held)
    rows = np.ix_(free, free)
    scale = np.zeros_like(mode.hessian)
    scale[rows] = laplace_scale(mode.hessian[rows], dense=True)
    return profile_bend(evaluate, mode.position, scale, free & target.single)


def start_arrays(start: Start) -> dict[str, np.ndarray]:
    """What a checkpoint keeps of it beside `potentials`."""
    known = {"positions": start.positions, "scale": start.scale}
    return known | bend_arrays(start.bend)


def start_from(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Start:
    """The start that was kept."""
    bend = Bend(*(arrays[name] for name in Bend._fields))
    known = arrays["positions"], arrays["scale"], bend
    return Start(*known, tuple(header["potentials"]))


def start_keys(key: PRNGKeyArray) -> PRNGKeyArray:
    """The keys of the climb and of the chains' places around its end."""
    return jax.random.split(key)


def is_dense(estimation: EstimationBlock, size: int) -> bool:
    """Whether the metric is a dense matrix."""
    return estimation.metric == "dense" or (
        estimation.metric == "auto" and size < DENSE_LIMIT
    )


def typical_draws(
    target: Target,
    args: tuple,
    centre: Float[np.ndarray, " d"],
    scale: Scale,
    count: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "count d"]:
    """Draws of a normal around `centre`, each pulled back until it is no outlier.

    Of a normal posterior the potential exceeds that of the mode by d/2, with an SD of
    sqrt(d/2). Where curvature misleads, as in a funnel, draws of the normal lie far
    beyond: no chain goes there, and a mesh made for them were many times too fine. What
    is not found on the way is the centre itself.
    """
    lowest = float(target.evaluate(centre, args)[0])
    highest = lowest + 0.5 * target.size + _OUTLIER * np.sqrt(0.5 * target.size)

    def one() -> Float[np.ndarray, " d"]:
        noise = rng.standard_normal(target.size)
        step = scale @ noise if scale.ndim == 2 else scale * noise
        for part in _PULLED_BACK:
            if float(target.evaluate(centre + part * step, args)[0]) <= highest:
                return centre + part * step
        return centre

    return np.stack([one() for _ in range(count)])
