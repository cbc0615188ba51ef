"""When a quantity falls below a limit for the last time, counted from a start.

Three outcomes, of which only one has a time: it was never above the limit after the
start; it fell below it and stayed there; it was still above it at the end of the solve.
A number that were clipped to the follow-up would not be a crossing time.

The definition travels with the number: under exponential decline the time is
ln(peak/limit)/rate, so a larger dose or a better assay delays it at the same rate of
rejection. `peak` (exposure) gives definitions without an assay's limit.
"""

from enum import IntEnum
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from imak_pkpd.estimand.root import meeting
from imak_pkpd.solve.curve import Curve, logarithm, segments


class Outcome(IntEnum):
    """What became of the quantity."""

    never_above = 0
    crossed = 1
    not_crossed = 2


class Crossing(NamedTuple):
    """`time` after the start; NaN unless `outcome` is `crossed`."""

    outcome: Int[Array, ""]
    time: Float[Array, ""]


def last_down_crossing(
    curve: Curve, limit: Float[Array, ""], start: Float[Array, ""]
) -> Crossing:
    """The last fall of a positive quantity below `limit` after `start` (a node).

    Found between nodes on the cubic of its logarithm, with the gradient of the implicit
    function. An excursion that begins and ends between two nodes is not seen.
    """
    counts = curve.time >= start
    above, above_before = (curve.after >= limit), (curve.before >= limit)
    inside = counts[:-1] & above[:-1] & ~above_before[1:]
    at_node = counts & above_before & ~above
    # only the last of each kind is looked for: logarithms and a root for every segment
    # are dear
    segment = _last(inside)
    ends = jax.tree.map(lambda each: each[jnp.stack([segment, segment + 1])], curve)
    piece = segments(logarithm(ends))
    within = piece.start[0] + meeting(piece, jnp.log(limit))[0] * piece.length[0]
    node = _last(at_node)
    falls = jnp.stack([inside[segment], at_node[node]])
    times = jnp.stack([within, curve.time[node]])
    last = jnp.argmax(jnp.where(falls, times, -jnp.inf))
    ever = jnp.any(counts & above)
    crossed = ever & ~above[-1] & jnp.any(falls)
    outcome = jnp.where(above[-1], Outcome.not_crossed, Outcome.never_above)
    return Crossing(
        jnp.where(crossed, Outcome.crossed, outcome).astype(jnp.int32),
        jnp.where(crossed, times[last] - start, jnp.nan),
    )


def _last(flags: Bool[Array, " n"]) -> Int[Array, ""]:
    """The place of the last that is true; the first place without one."""
    return jnp.max(jnp.where(flags, jnp.arange(len(flags)), 0))
