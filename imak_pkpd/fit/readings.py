"""`readings_of`: the estimands of solved subjects, be they patients or virtual."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imak_pkpd.estimand import AbstractEstimand, Reading
from imak_pkpd.model import AbstractModel
from imak_pkpd.solve.curve import until
from imak_pkpd.solve.trajectory import Trajectory

Windows = Mapping[str, tuple[Float[Array, " subject"], Float[Array, " subject"] | None]]
"""Start and end of every estimand; None: the end of the solve."""


def readings_of(
    blocks: Mapping[str, AbstractEstimand],
    model: AbstractModel,
    path: Trajectory,
    windows: Windows,
) -> dict[str, Float[Array, " subject"]]:
    """The estimands by name; NaN, and an outcome of -1, where a subject is unsolved."""
    solved, made = path.status == 0, {}
    for name, block in blocks.items():
        found = estimates_of(block, model, path, *windows[name])
        made[name] = jnp.where(solved, found["value"], jnp.nan)
        if "outcome" in found:
            made[f"{name}_outcome"] = jnp.where(solved, found["outcome"], -1)
    return made


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
