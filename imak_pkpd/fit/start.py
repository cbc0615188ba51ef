"""Where the chains begin: `make_start`, from the mode or from the prior."""

from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from imak_pkpd.fit.estimation import EstimationBlock
from imak_pkpd.fit.metric import DENSE_LIMIT, Scale, laplace_scale
from imak_pkpd.fit.mode import (
    HELD,
    Explain,
    Mode,
    find_mode,
    finite_starts,
    unexplained,
)
from imak_pkpd.fit.target import Target

_OUTLIER = 3.0  # SDs of the potential: 1 of 700 draws of a normal is farther out
_PULLED_BACK = 0.7 ** np.arange(12)  # a draw that is typical at once stays whole

Positions = Float[np.ndarray, "chain d"]


@dataclass(frozen=True)
class Start:
    """Positions of the chains, their first metric, and what the climb reached.

    `potentials`: the potential that each climb ended at, best first; empty when the
    chains start from the prior. `mode`: where they ended, None from the prior and from
    a checkpoint.
    """

    positions: Positions
    scale: Scale
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
        return Start(positions, scale, ())
    mode = find_mode(target, args, climb_key, held, explain=explain)
    if not np.isfinite(mode.potential):
        raise ValueError(explain(mode.position))
    return start_at(target, args, mode, estimation, jitter_key)


def start_at(
    target: Target,
    args: tuple,
    mode: Mode,
    estimation: EstimationBlock,
    key: PRNGKeyArray,
) -> Start:
    """Starts around a mode, and the metric that its curvature gives."""
    scale = laplace_scale(mode.hessian, is_dense(estimation, target.size))
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    centre, chains = mode.position, estimation.chains
    positions = typical_draws(target, args, centre, scale, chains, rng)
    return Start(positions, scale, mode.potentials, mode)


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
