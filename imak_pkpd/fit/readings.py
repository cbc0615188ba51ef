"""`estimates_of`: an estimand of solved subjects, be they patients or virtual."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imak_pkpd.estimand import AbstractEstimand, Reading
from imak_pkpd.model import AbstractModel
from imak_pkpd.solve.curve import until
from imak_pkpd.solve.trajectory import Trajectory


def estimates_of(
    block: AbstractEstimand,
    model: AbstractModel,
    path: Trajectory,
    start: Float[Array, " subject"],
    end: Float[Array, " subject"] | None = None,
) -> dict[str, Float[Array, " subject"]]:
    """One estimand of all subjects, up to the end of the solve or to an earlier one."""
    read = {name: getattr(model, name) for name in block.parameters_read.values()}
    curves = {name: path.outputs[name] for name in block.outputs_read.values()}
    if end is not None:
        cut = jax.vmap(until)
        curves = {name: cut(curve, end) for name, curve in curves.items()}
    own = {n: jnp.broadcast_to(v, start.shape) for n, v in read.items()}
    return jax.vmap(lambda *parts: block.estimate(Reading(*parts)))(curves, own, start)
