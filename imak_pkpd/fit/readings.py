"""`readings_of`: the estimands of solved subjects, be they patients or virtual."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from imak_pkpd.estimand import AbstractEstimand, Reading
from imak_pkpd.model import AbstractModel
from imak_pkpd.solve.curve import until
from imak_pkpd.solve.trajectory import Trajectory

Windows = Mapping[str, tuple[Float[Array, " subject"], Float[Array, " subject"] | None]]
"""Start and end of every estimand; None: the end of the solve."""


class Readings(NamedTuple):
    """Estimands by name, and who could be solved.

    A subject whose numbers overflow is not solved, though its states are finite. NaN
    in all estimands, and -1 for an outcome, where `solved` is false.
    """

    solved: Bool[Array, " subject"]
    estimands: dict[str, Float[Array, " subject"]]


def readings_of(
    blocks: Mapping[str, AbstractEstimand],
    model: AbstractModel,
    path: Trajectory,
    windows: Windows,
) -> Readings:
    """All estimands of all subjects."""
    made: dict[str, Float[Array, " subject"]] = {}
    solved = path.status == 0
    for name, block in blocks.items():
        found = estimates_of(block, model, path, *windows[name])
        made[name] = found["value"]
        if "outcome" in found:
            made[f"{name}_outcome"] = found["outcome"]
        else:
            solved &= ~jnp.isnan(found["value"])
    return Readings(solved, {n: _where(solved, n, v) for n, v in made.items()})


def _where(solved: Array, name: str, value: Array) -> Array:
    return jnp.where(solved, value, -1 if name.endswith("_outcome") else jnp.nan)


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


def mean_of_solved(
    value: Float[Array, " patient"], failed: Bool[Array, " patient"]
) -> Float[Array, ""]:
    """NaN where nobody is solved, and where a crossing has no time."""
    return jnp.sum(jnp.where(failed, 0.0, value)) / jnp.sum(~failed)
