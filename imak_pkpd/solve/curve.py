"""`Curve`: one quantity over time, cubic (Hermite) from each node to the next.

At a node where something happens it may jump: it has a value and a slope on both sides.
All functions are for one subject; `vmap` them over a `Trajectory`'s curves.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

PerNode = Float[Array, "*subject node"]

LEAST = 1e-100
"""The smallest value with a logarithm here, in any unit: nothing is not -inf, and the
slope of its logarithm does not overflow."""


class Curve(NamedTuple):
    """Values and slopes just before (`before`, `arriving`) and just after the nodes
    (`after`, `leaving`), in the unit of the quantity and per time.

    `time` is the subject's clock: TIME, or running on where TIME restarts at a reset.
    """

    time: PerNode
    before: PerNode
    arriving: PerNode
    after: PerNode
    leaving: PerNode


class Segments(NamedTuple):
    """The curve between nodes: start, length, and both ends with their slopes."""

    start: Float[Array, " segment"]
    length: Float[Array, " segment"]
    first: Float[Array, " segment"]
    leaving: Float[Array, " segment"]
    last: Float[Array, " segment"]
    arriving: Float[Array, " segment"]


def segments(curve: Curve) -> Segments:
    """The pieces of a curve; padding has length zero."""
    return Segments(
        curve.time[:-1],
        curve.time[1:] - curve.time[:-1],
        curve.after[:-1],
        curve.leaving[:-1],
        curve.before[1:],
        curve.arriving[1:],
    )


def kept_positive(piece: Segments) -> Segments:
    """Slopes held so that a cubic between values that are not negative is not either.

    A fall much faster than a segment is long sends the cubic below zero, and an area
    with it. The bound is 3 values per length (Schmidt & Hess 1988, BIT 28:340); an
    exponential reaches it at e^-3 per segment: where a curve is resolved nothing moves.
    """
    h = jnp.where(piece.length > 0, piece.length, 1.0)
    positive = (piece.first >= 0) & (piece.last >= 0)
    leaving = jnp.maximum(piece.leaving, -3 * piece.first / h)
    arriving = jnp.minimum(piece.arriving, 3 * piece.last / h)
    return piece._replace(
        leaving=jnp.where(positive, leaving, piece.leaving),
        arriving=jnp.where(positive, arriving, piece.arriving),
    )


def areas(piece: Segments) -> Float[Array, " segment"]:
    """The integral over each piece; not negative where both ends are not."""
    piece = kept_positive(piece)
    h = piece.length
    mean = h / 2 * (piece.first + piece.last)
    return mean + h**2 / 12 * (piece.leaving - piece.arriving)


def mapped(curve: Curve, function: Callable[[Array], Array]) -> Curve:
    """`function` of the curve, elementwise, with the slopes that follow."""
    before, arriving = jax.jvp(function, (curve.before,), (curve.arriving,))
    after, leaving = jax.jvp(function, (curve.after,), (curve.leaving,))
    return Curve(curve.time, before, arriving, after, leaving)


def until(curve: Curve, end: Float[Array, ""]) -> Curve:
    """The same curve up to a time, with steps of length zero after it.

    Part of a cubic is the cubic through its value and slope at `end`: nothing is lost.
    """
    past = curve.time > end
    value, slope = jax.jvp(lambda t: value_at(curve, t), (end,), (jnp.ones_like(end),))
    ends = Curve(end, value, slope, value, slope)
    return jax.tree.map(lambda last, each: jnp.where(past, last, each), ends, curve)


def logarithm(curve: Curve) -> Curve:
    """ln of a curve that is positive; below 1e-100 the ln of that, level."""
    return mapped(curve, lambda x: jnp.log(jnp.maximum(x, LEAST)))


def inside(piece: Segments, part: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """The values at the `part` (0 to 1) of the pieces' lengths."""
    s, h = part, piece.length
    return (
        (1 + 2 * s) * (1 - s) ** 2 * piece.first
        + s * (1 - s) ** 2 * h * piece.leaving
        + s**2 * (3 - 2 * s) * piece.last
        + s**2 * (s - 1) * h * piece.arriving
    )


def positive_value_at(curve: Curve, time: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """`value_at` of an amount or a share: not negative between values that are not."""
    return _value_in(kept_positive(segments(curve)), curve, time)


def value_at(curve: Curve, time: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """The values at some times, after what happens there; beyond the end the last."""
    return _value_in(segments(curve), curve, time)


def _value_in(
    pieces: Segments, curve: Curve, time: Float[Array, "*n"]
) -> Float[Array, "*n"]:
    node = jnp.searchsorted(curve.time, time, side="right") - 1
    place = jnp.clip(node, 0, curve.time.shape[0] - 2)
    piece = jax.tree.map(lambda x: x[place], pieces)
    some = piece.length > 0
    part = (time - piece.start) / jnp.where(some, piece.length, 1.0)
    within = inside(piece, jnp.clip(part, 0.0, 1.0))
    # the last node may be one at which something happens
    return jnp.where(time >= curve.time[-1], curve.after[-1], within)
