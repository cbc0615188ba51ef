"""Curves of known functions on a mesh, with exact slopes."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from imak_pkpd.solve.curve import Curve


def curve_of(
    function: Callable[[Array], Array], time: Float[np.ndarray, " node"]
) -> Curve:
    """A smooth function on the nodes."""
    at = jnp.asarray(time, float)
    value, slope = jax.jvp(function, (at,), (jnp.ones_like(at),))
    return Curve(at, value, slope, value, slope)


def joined(*pieces: Curve) -> Curve:
    """Curves one after the other, with a jump where one ends and the next begins."""
    whole = pieces[0]
    for piece in pieces[1:]:
        end = {
            name: jnp.concatenate([getattr(whole, name), getattr(piece, name)[1:]])
            for name in Curve._fields
        }
        node = whole.time.shape[0] - 1
        for name in ("after", "leaving"):
            end[name] = end[name].at[node].set(getattr(piece, name)[0])
        whole = Curve(**end)
    return whole


def padded(curve: Curve, nodes: int) -> Curve:
    """With steps of length zero at the end."""
    return Curve(*(jnp.concatenate([x, jnp.repeat(x[-1:], nodes)]) for x in curve))
