"""The integral of an output between one row of it and the next, and its inverse.

`window_areas`  for the likelihood of events: the cumulative hazard row by row
`time_at_area`  for their simulation: when the hazard has accumulated so much
Both are for one subject, on the cubics of `curve`, and hold a value below zero at zero.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from imak_pkpd.data.schedule import Observations
from imak_pkpd.solve.curve import (
    Curve,
    Segments,
    areas,
    kept_positive,
    mapped,
    segments,
)

HALVINGS = 52  # of a segment: the last digit of a float64

PerRow = Float[Array, " observation"]
Places = Int[Array, " observation"]


def window_areas(curve: Curve, at: Places, seen: Observations) -> PerRow:
    """The integral from the row before of a row's output, else the first node.

    `at` are the nodes of the rows. Each is a sum of its own segments, not a difference
    of two integrals: a short window after a long one loses no digits.
    """
    before = row_before(seen)
    first = jnp.where(before < 0, 0, at[before])
    each = areas(_positive(curve))
    place = jnp.arange(each.shape[0])
    inside = (first[:, None] <= place) & (place < at[:, None])
    return jnp.sum(jnp.where(inside, each, 0.0), -1)


def row_before(seen: Observations) -> Places:
    """The place of the row before of the same output; -1 where there is none."""
    output = jnp.asarray(seen.output)
    place = jnp.arange(output.shape[0])
    same = (output[:, None] == output) & jnp.asarray(seen.mask)
    return jnp.max(jnp.where(same & (place[:, None] > place), place, -1), -1)


def time_at_area(
    curve: Curve, start: Float[Array, ""], amount: Float[Array, ""]
) -> Float[Array, ""]:
    """When the integral from `start` (a node) on is `amount`; else the last time."""
    pieces = _positive(curve)
    each = jnp.where(pieces.start >= start, areas(pieces), 0.0)
    total = jnp.cumsum(each)
    place = jnp.minimum(jnp.searchsorted(total, amount), each.shape[0] - 1)
    piece = jax.tree.map(lambda x: x[place], kept_positive(pieces))
    rest = amount - (total[place] - each[place])

    def halve(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        short = _area_until(piece, middle) < rest
        return jnp.where(short, middle, low), jnp.where(short, high, middle)

    ends = (jnp.zeros_like(rest), jnp.ones_like(rest))
    part = jax.lax.fori_loop(0, HALVINGS, halve, ends)[1]
    return piece.start + part * piece.length


def _positive(curve: Curve) -> Segments:
    """The segments of the curve with 0 for what is below it; the slope at 0 stays."""
    return segments(mapped(curve, lambda x: jnp.where(x < 0, 0.0, x)))


def _area_until(piece: Segments, part: Float[Array, ""]) -> Float[Array, ""]:
    """The integral of one cubic up to `part` of its length: that of `inside`."""
    s, h = part, piece.length
    return h * (
        (s - s**3 + s**4 / 2) * piece.first
        + (s**2 / 2 - 2 * s**3 / 3 + s**4 / 4) * h * piece.leaving
        + (s**3 - s**4 / 2) * piece.last
        + (s**4 / 4 - s**3 / 3) * h * piece.arriving
    )
