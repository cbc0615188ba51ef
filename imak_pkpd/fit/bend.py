"""Coordinates in which a ridge is straight: a typical value's own scale, or its log.

Two rates that balance each other (growth and death) make a ridge that is straight in
the rates and bends in their logarithms; elsewhere the logarithm is the straight one. So
every typical value x, a logarithm, is moved in a coordinate u between the two, of one
softness S: with h(t) = S ln(exp(t/S) - 1), which is t above S and a logarithm below,

    u - m = (h(exp(x - m)) - h(1)) / h'(1)          S = inf: u = x

so that u is x to first order around the centre m: a metric stays what it is. `side` -1
is the same for 1/exp(x). S and side are those whose u is the least skewed in the draws
of a warm-up window.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from arviz_stats.base import array_stats
from jaxtyping import Array, Bool, Float

SOFTNESS = (0.1, 0.3, 1.0, 3.0)  # 0.1: the value itself unless it nears zero
# A skewness is believed beyond so many standard errors of that of normal draws.
_BELIEVED = 2.0
# Less is no hindrance: the logarithm of a normal value with a CV of 13 %.
_HINDERS = 0.4
# Where a value bends into its logarithm a ridge has a corner. It must be as wide as the
# posterior, or where 1 of 1000 draws of a normal would be.
_FAR = 3.1
# softplus(z) is exp(z) to 1e-9 below; its logarithm is then z.
_LOWEST = -20.0

Vector = Float[Array, " d"] | Float[np.ndarray, " d"]


class Bend(NamedTuple):
    """By coordinate: centre m, softness S (inf: none) and side (1 or -1)."""

    centre: Vector
    softness: Vector
    side: Vector


def straight(size: int) -> Bend:
    """No coordinate is bent."""
    return Bend(np.zeros(size), np.full(size, np.inf), np.ones(size))


def bend_arrays(bend: Bend) -> dict[str, np.ndarray]:
    """What a checkpoint keeps."""
    return {name: np.asarray(leaf) for name, leaf in bend._asdict().items()}


def unbent(bend: Bend, x: Vector) -> Float[Array, " d"]:
    """The coordinates u of the unconstrained vector x."""
    soft, distance = _inside(bend, x)
    value = jnp.exp(distance)
    # h(t) - h(1), written so that nothing overflows.
    high = value - 1.0 + soft * (_log_missing(value / soft) - _log_missing(1.0 / soft))
    moved = bend.centre + bend.side * high * -jnp.expm1(-1.0 / soft)
    return jnp.where(jnp.isfinite(bend.softness), moved, x)


def bent(bend: Bend, u: Vector) -> Float[Array, " d"]:
    """The unconstrained vector x at the coordinates u."""
    soft, distance = _inside(bend, u)
    start = 1.0 / soft + _log_missing(1.0 / soft)
    z = start + distance / (-soft * jnp.expm1(-1.0 / soft))
    log_value = jnp.where(
        z < _LOWEST, z, jnp.log(jax.nn.softplus(jnp.maximum(z, _LOWEST)))
    )
    moved = bend.centre + bend.side * (jnp.log(soft) + log_value)
    return jnp.where(jnp.isfinite(bend.softness), moved, u)


def log_stretch(bend: Bend, x: Vector) -> Float[Array, " d"]:
    """ln dx/du of every coordinate."""
    soft, distance = _inside(bend, x)
    ratio = jnp.exp(distance) / soft
    found = _log_missing(ratio) - _log_missing(1.0 / soft) - distance
    return jnp.where(jnp.isfinite(bend.softness), found, 0.0)


def slope_along(bend: Bend, x: Vector, gradient: Vector) -> Float[Array, " d"]:
    """The gradient in u of the potential of u, from that in x of the potential of x."""
    widened = jax.grad(lambda at: jnp.sum(log_stretch(bend, at)))(x)
    return (gradient - widened) * jnp.exp(log_stretch(bend, x))


def allowed(cv: float) -> list[float]:
    """The softnesses whose corner does no harm at this CV of the value."""
    return [soft for soft in SOFTNESS if soft >= cv or 2.0 * soft <= 1.0 - _FAR * cv]


def learnt_bend(
    now: Bend, draws: Float[np.ndarray, "chain n d"], single: Bool[np.ndarray, " d"]
) -> Bend:
    """`now`, where the draws do not show a `single` coordinate to be skewed in it."""
    places = np.asarray(jax.vmap(jax.vmap(partial(unbent, now)))(draws))
    found = np.stack([np.array(leaf) for leaf in now])
    for place in np.flatnonzero(single):
        if _is_skewed(places[..., place]):
            found[:, place] = _least_skewed(draws[..., place].ravel())
    return Bend(*found)


def _is_skewed(draws: Float[np.ndarray, "chain n"]) -> bool:
    """So much that it hinders, and more than by chance in draws of a normal."""
    worth = float(array_stats.ess(draws, chain_axis=0, draw_axis=1))
    noise = np.sqrt(6.0 / worth)
    return abs(_skewness(draws.ravel())) > max(_HINDERS, _BELIEVED * noise)


def _least_skewed(draws: Float[np.ndarray, " n"]) -> tuple[float, float, float]:
    """Centre, softness and side; no softness where none is less skewed than x."""
    centre, best = float(np.median(draws)), (abs(_skewness(draws)), np.inf, 1.0)
    for side in (1.0, -1.0):
        for softness in allowed(_cv(side * (draws - centre))):
            one = Bend(*(np.array([each]) for each in (centre, softness, side)))
            skewed = abs(_skewness(np.asarray(unbent(one, draws[:, None]))[:, 0]))
            best = min(best, (skewed, softness, side))
    return centre, best[1], best[2]


def _cv(logarithms: Float[np.ndarray, " n"]) -> float:
    """Of the values; no number or infinite where they overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.exp(logarithms).std())


def _skewness(draws: Float[np.ndarray, " n"]) -> float:
    off = draws - draws.mean()
    return float(np.mean(off**3) / np.maximum(np.mean(off**2), 1e-300) ** 1.5)


def _inside(bend: Bend, at: Vector) -> tuple[Array, Array]:
    """A finite softness everywhere, and the distance from the centre on its side."""
    finite = jnp.isfinite(bend.softness)
    soft = jnp.where(finite, bend.softness, 1.0)
    return soft, jnp.where(finite, bend.side * (at - bend.centre), 0.0)


def _log_missing(ratio: Array | float) -> Array:
    """ln(1 - exp(-ratio))."""
    return jnp.log(-jnp.expm1(-ratio))
