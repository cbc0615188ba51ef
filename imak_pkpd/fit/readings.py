"""`estimates_of`: an estimand of solved subjects, be they patients or virtual."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imak_pkpd.estimand import AbstractEstimand, Reading
from imak_pkpd.model import AbstractModel
from imak_pkpd.solve.trajectory import Trajectory


def estimates_of(
    block: AbstractEstimand,
    model: AbstractModel,
    path: Trajectory,
    start: Float[Array, " subject"],
) -> dict[str, Float[Array, " subject"]]:
    """One estimand of all subjects."""
    read = {name: getattr(model, name) for name in block.parameters_read.values()}
    curves = {name: path.outputs[name] for name in block.outputs_read.values()}
    own = {n: jnp.broadcast_to(v, start.shape) for n, v in read.items()}
    return jax.vmap(lambda *parts: block.estimate(Reading(*parts)))(curves, own, start)
