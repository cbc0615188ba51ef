"""The place inside a segment where a curve meets a level, with an exact gradient."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from imak_pkpd.solve.curve import Segments, inside

HALVINGS = 60
"""2^-60 of a segment: its last digit."""

Part = Float[Array, " segment"]


def meeting(piece: Segments, level: Float[Array, ""]) -> Part:
    """The part (0 to 1) of each segment at which it meets the level.

    Meaningful where its ends lie on both sides of it. The gradient is that of the
    implicit function: one Newton step from the root, whose slope is held.
    """
    fixed = jax.lax.stop_gradient((piece, level))
    root = jax.lax.stop_gradient(_bisected(*fixed))
    slope = jax.lax.stop_gradient(_slope(fixed[0], root))
    steep = jnp.abs(slope) > 0
    gap = inside(piece, root) - level
    return root - jnp.where(steep, gap / jnp.where(steep, slope, 1.0), 0.0)


def _bisected(piece: Segments, level: Float[Array, ""]) -> Part:
    """One segment after the other: a curve of many segments meets a level in few."""
    first = piece.first >= level

    def search(found: tuple[Part, Bool[Array, " segment"]]) -> tuple[Part, Array]:
        parts, left = found
        place = jnp.argmax(left)
        one = jax.tree.map(lambda each: each[place], piece)
        return parts.at[place].set(_halved(one, level)), left.at[place].set(False)

    parts = jnp.full_like(piece.first, 0.5)
    meets = first != (piece.last >= level)
    return jax.lax.while_loop(lambda found: jnp.any(found[1]), search, (parts, meets))[
        0
    ]


def _halved(piece: Segments, level: Float[Array, ""]) -> Float[Array, ""]:
    """Where one segment meets the level."""
    falls = piece.first >= level

    def halve(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = 0.5 * (low + high)
        early = (inside(piece, middle) >= level) == falls  # still on the first side
        return jnp.where(early, middle, low), jnp.where(early, high, middle)

    zero = jnp.zeros_like(piece.first)
    low, high = jax.lax.fori_loop(0, HALVINGS, halve, (zero, zero + 1.0))
    return 0.5 * (low + high)


def _slope(piece: Segments, part: Part) -> Part:
    """d value / d part."""
    move = jnp.ones_like(part)
    return jax.jvp(lambda s: inside(piece, s), (part,), (move,))[1]
