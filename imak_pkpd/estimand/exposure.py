"""How long a quantity is above a level, its area and its peak, from the same cubics."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imak_pkpd.estimand.root import meeting
from imak_pkpd.solve.curve import LEAST, Curve, Segments, areas, inside, segments

Time = Float[Array, ""]


class Peak(NamedTuple):
    """The largest value after a start, and its TIME."""

    value: Float[Array, ""]
    time: Time


def time_above(curve: Curve, level: Float[Array, ""], start: Time) -> Time:
    """The time that the quantity spends above `level` after `start` (a node)."""
    piece = segments(curve)
    first, last = piece.first >= level, piece.last >= level
    part = meeting(piece, level)
    share = jnp.where(
        first, jnp.where(last, 1.0, part), jnp.where(last, 1.0 - part, 0.0)
    )
    return jnp.sum(jnp.where(piece.start >= start, share * piece.length, 0.0))


def area(curve: Curve, start: Time) -> Float[Array, ""]:
    """The integral of the quantity over time, after `start` (a node).

    Not negative for a quantity that is not.
    """
    piece = segments(curve)
    return jnp.sum(jnp.where(piece.start >= start, areas(piece), 0.0))


def peak(curve: Curve, start: Time) -> Peak:
    """The largest value after `start` (a node), between nodes too.

    The time at which net growth turns negative, and the level (a hundredth of it) below
    which a graft may be called gone, need no assay.
    """
    piece = segments(curve)
    counts = curve.time >= start
    top = _top(piece)
    times = jnp.concatenate([curve.time, piece.start + top * piece.length])
    values = jnp.concatenate([curve.after, inside(piece, top)])
    values = jnp.where(jnp.concatenate([counts, counts[:-1]]), values, -jnp.inf)
    best = jnp.argmax(values)
    # Not the value at `best`, which is slow, nor `max`, to which a slope that is no
    # number at any other place would spread.
    chosen = jnp.arange(len(values)) == best
    return Peak(jnp.sum(jnp.where(chosen, values, 0.0)), times[best])


def _top(piece: Segments) -> Float[Array, " segment"]:
    """Where a cubic that rises at first and falls at last is level (else its start)."""
    h, move = piece.length, piece.last - piece.first
    up, down = h * piece.leaving, h * piece.arriving
    # Only ratios matter; the square of what has nearly died out is 0, its inverse inf.
    size = jnp.maximum(jnp.maximum(jnp.abs(up), jnp.abs(down)), jnp.abs(move))
    there = size > LEAST
    unit = jax.lax.stop_gradient(jnp.where(there, size, 1.0))
    rise, fall, step = up / unit, down / unit, move / unit
    # d/ds of the cubic: a s² + b s + c with c = rise > 0, and fall < 0 at s = 1
    a, b, c = 3 * (rise + fall) - 6 * step, 6 * step - 4 * rise - 2 * fall, rise
    hump = there & (rise > 0) & (fall < 0)
    # rounding sends the square below 0 where both roots are one
    square = b**2 - 4 * a * c
    apart = hump & (square > 0)
    root = jnp.where(apart, jnp.sqrt(jnp.where(apart, square, 1.0)), 0.0)
    # its one root between 0 and 1, in the form that does not cancel
    early = hump & (b < 0)
    late = hump & (b >= 0)  # then a < 0
    at = jnp.where(late, (-b - root) / jnp.where(late, 2 * a, 1.0), 0.0)
    return jnp.where(early, 2 * c / jnp.where(early, root - b, 1.0), at)
