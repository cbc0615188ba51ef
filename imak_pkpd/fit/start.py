"""Where the chains begin: `make_start`, from the mode or from the prior."""

from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from imak_pkpd.fit.estimation import EstimationBlock
from imak_pkpd.fit.metric import DENSE_LIMIT, Scale, laplace_scale
from imak_pkpd.fit.mode import HELD, Explain, find_mode, finite_starts, unexplained
from imak_pkpd.fit.target import Target

_TRIES = 40  # jitters of one chain
_HALVINGS = 10  # after so many failures the jitter is half as wide

Positions = Float[np.ndarray, "chain d"]


@dataclass(frozen=True)
class Start:
    """Positions of the chains, their first metric, and what the climb reached.

    `potentials`: the potential that each climb ended at, best first; empty when the
    chains start from the prior.
    """

    positions: Positions
    scale: Scale
    potentials: tuple[float, ...]


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
    climb_key, jitter_key = jax.random.split(key)
    dense = is_dense(estimation, target.size)
    if estimation.start == "prior":
        found = finite_starts(target, args, climb_key, estimation.chains, explain)
        positions = np.stack([found[i % len(found)] for i in range(estimation.chains)])
        scale = np.eye(target.size) if dense else np.ones(target.size)
        return Start(positions, scale, ())
    mode = find_mode(target, args, climb_key, held, explain=explain)
    if not np.isfinite(mode.potential):
        raise ValueError(explain(mode.position))
    scale = laplace_scale(mode.hessian, dense)
    positions = _jittered(target, args, mode.position, scale, jitter_key, estimation)
    return Start(positions, scale, mode.potentials)


def is_dense(estimation: EstimationBlock, size: int) -> bool:
    """Whether the metric is a dense matrix."""
    return estimation.metric == "dense" or (
        estimation.metric == "auto" and size < DENSE_LIMIT
    )


def _jittered(
    target: Target,
    args: tuple,
    centre: Float[np.ndarray, " d"],
    scale: Scale,
    key: PRNGKeyArray,
    estimation: EstimationBlock,
) -> Positions:
    """Draws of the Laplace approximation, narrowed until their density is finite."""
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))

    def one() -> Float[np.ndarray, " d"]:
        for trial in range(_TRIES):
            noise = rng.standard_normal(target.size) * 0.5 ** (trial // _HALVINGS)
            step = scale @ noise if scale.ndim == 2 else scale * noise
            if np.isfinite(target.evaluate(centre + step, args)[0]):
                return centre + step
        return centre

    return np.stack([one() for _ in range(estimation.chains)])
