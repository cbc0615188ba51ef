"""Steady state: the fixed point of the one-period map, by Newton.

The map is built from the same step as the march (exact for a linear model, where one
iteration suffices). The gradient is the implicit one (`jax.lax.custom_root`).
Overlapping infusions, lag and F are inside the map.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

Vector = Float[Array, " state"]
Map = Callable[[Vector], Vector]

NEWTON_STEPS = 40  # quadratic once near; the rest is for a poor start
CYCLES = 3  # plain periods that show in which direction each state really moves
TOLERANCE = 1e-11  # relative size of the last Newton step, whose error it squares


class Regimen(NamedTuple):
    """One steady-state record at one draw: when, how much, how long, how often."""

    interval: Float[Array, ""]
    lag: Float[Array, ""]
    rate: Float[Array, ""]
    length: Float[Array, ""]


Flow = Callable[[Vector, Float[Array, ""], Float[Array, ""]], Vector]
"""(state, infusion rate, duration) -> state."""


def periodic_state(
    initial: Vector, bolus: Map, flow: Flow, regimen: Regimen
) -> tuple[Vector, Bool[Array, ""]]:
    """State at the record's time under past doses every `interval`, and its success.

    The record's own dose has not arrived; every past one is lagged.
    """
    interval, lag, rate, length = regimen
    running = jnp.floor(length / interval)  # infusions that overlap all the time
    rest = length - running * interval

    def advance(state: Vector, duration: Float[Array, ""]) -> Vector:
        first = jnp.minimum(duration, rest)
        state = flow(bolus(state), (running + 1) * rate, first)
        return flow(state, running * rate, duration - first)

    start, found = fixed_point(lambda state: advance(state, interval), initial)
    since = jnp.ceil(lag / interval) * interval - lag
    return jnp.where(since > 0, advance(start, since), start), found


def fixed_point(step: Map, initial: Vector) -> tuple[Vector, Bool[Array, ""]]:
    """The solution of step(y) = y reached from `initial`, and whether it was found."""
    shown = initial
    for _ in range(CYCLES):
        shown = step(shown)
    return root(lambda y: step(y) - y, shown, shown - initial)


def root(
    residual: Map, start: Vector, moving: Vector
) -> tuple[Vector, Bool[Array, ""]]:
    """The root of `residual` near `start`, differentiable, and whether it was found.

    `moving` is the direction in which the system itself goes; a root that lies the
    other way (input above the capacity of elimination) is not a steady state.
    """
    solution, change = jax.lax.custom_root(
        residual, start, _newton, _tangent, has_aux=True
    )
    found = (change <= TOLERANCE) & jnp.all(jnp.isfinite(solution))
    found &= ~_wrong_way(solution, start, moving)
    return jnp.where(found, solution, start), found


def _tangent(linear: Map, right: Vector) -> Vector:
    """Solves linear(x) = right: the implicit derivative of the root."""
    return jnp.linalg.solve(jax.jacfwd(linear)(right), right)


def _newton(residual: Map, start: Vector) -> tuple[Vector, Float[Array, ""]]:
    """Newton's iterate and its last relative change."""

    def unfinished(carry: tuple) -> Bool[Array, ""]:
        _, change, count = carry
        return (change > TOLERANCE) & (count < NEWTON_STEPS)

    def improve(carry: tuple) -> tuple:
        y, _, count = carry
        move = jnp.linalg.solve(jax.jacfwd(residual)(y), residual(y))
        scale = jnp.abs(y) + jnp.max(jnp.abs(y)) * 1e-9 + 1e-300
        return y - move, jnp.max(jnp.abs(move) / scale), count + 1

    y, change, _ = jax.lax.while_loop(
        unfinished, improve, (start, jnp.asarray(jnp.inf), 0)
    )
    return y, change


def _wrong_way(solution: Vector, start: Vector, moving: Vector) -> Bool[Array, ""]:
    """Whether some state really moves away from the proposed solution."""
    ahead = solution - start
    scale = 1e-6 * (jnp.abs(solution) + jnp.abs(start))  # far above rounding
    far = (jnp.abs(ahead) > scale) & (jnp.abs(moving) > scale)
    return jnp.any(far & (ahead * moving < 0))
