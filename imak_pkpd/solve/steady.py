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


class Resolution(NamedTuple):
    """The last Newton step may be so large, relative to the state and absolute.

    Newton squares its error. An adaptive solver cannot tell smaller differences apart.
    """

    relative: float = 1e-11
    absolute: float = 0.0


class Regimen(NamedTuple):
    """One steady-state record at one draw: when, how much, how long, how often."""

    interval: Float[Array, ""]
    lag: Float[Array, ""]
    rate: Float[Array, ""]
    length: Float[Array, ""]


Flow = Callable[[Vector, Float[Array, ""], Float[Array, ""]], Vector]
"""(state, infusion rate, duration) -> state."""


def periodic_state(
    initial: Vector, bolus: Map, flow: Flow, regimen: Regimen, resolution: Resolution
) -> tuple[Vector, Bool[Array, ""]]:
    """State at the record's time under past doses every `interval`, and its success.

    The record's own dose has not arrived; every past one is lagged.
    """
    interval, lag, rate, length = regimen
    running = jnp.floor(length / interval)  # infusions that overlap all the time
    rest = length - running * interval

    def advance(state: Vector, duration: Float[Array, ""]) -> Vector:
        first = jnp.minimum(duration, rest)
        rates = jnp.stack([(running + 1) * rate, running * rate])
        lengths = jnp.stack([first, duration - first])
        return _repeated(flow, bolus(state), (rates, lengths))

    start, found = fixed_point(
        lambda state: advance(state, interval), initial, resolution
    )
    since = jnp.ceil(lag / interval) * interval - lag
    return jnp.where(since > 0, advance(start, since), start), found


def fixed_point(
    step: Map, initial: Vector, resolution: Resolution
) -> tuple[Vector, Bool[Array, ""]]:
    """The solution of step(y) = y reached from `initial`, and whether it was found."""
    shown = _repeated(lambda y, _: step(y), initial, (jnp.arange(CYCLES),))
    return root(lambda y: step(y) - y, shown, shown - initial, resolution)


def _repeated(step: Callable[..., Vector], state: Vector, each: tuple) -> Vector:
    """The state after step(state, ...) for each of some things; compiled once."""
    return jax.lax.scan(lambda y, x: (step(y, *x), None), state, each)[0]


def root(
    residual: Map,
    start: Vector,
    moving: Vector,
    resolution: Resolution = Resolution(),  # noqa: B008 (immutable)
) -> tuple[Vector, Bool[Array, ""]]:
    """The root of `residual` near `start`, differentiable, and whether it was found.

    `moving` is the direction in which the system itself goes; a root that lies the
    other way (input above the capacity of elimination) is not a steady state.
    """
    solution, change = jax.lax.custom_root(
        residual,
        start,
        lambda f, y: _newton(f, y, resolution),
        _tangent,
        has_aux=True,
    )
    found = (change <= 1) & jnp.all(jnp.isfinite(solution))
    found &= ~_wrong_way(solution, start, moving, resolution)
    return jnp.where(found, solution, start), found


def _tangent(linear: Map, right: Vector) -> Vector:
    """Solves linear(x) = right: the implicit derivative of the root.

    Where there is none (a root that was not found, or is not used), it is zero: NaN
    would reach the derivatives of everything else.
    """
    inverse = jnp.linalg.inv(jax.jacfwd(linear)(jnp.zeros_like(right)))
    return jnp.where(jnp.all(jnp.isfinite(inverse)), inverse, 0.0) @ right


def _newton(
    residual: Map, start: Vector, resolution: Resolution
) -> tuple[Vector, Float[Array, ""]]:
    """Newton's iterate, `start` if it did not converge, and the last change.

    A change is counted in units of the resolution.
    """

    def unfinished(carry: tuple) -> Bool[Array, ""]:
        _, change, count = carry
        return (change > 1) & (count < NEWTON_STEPS)

    def improve(carry: tuple) -> tuple:
        y, _, count = carry
        value, slope = _value_and_slope(residual, y)
        move = jnp.linalg.solve(slope, value)
        # 1e-3 * 1e-11 of the largest state is its rounding, which reaches all others.
        scale = jnp.abs(y) + 1e-3 * jnp.max(jnp.abs(y))
        unit = resolution.relative * scale + resolution.absolute + 1e-300
        return y - move, jnp.max(jnp.abs(move) / unit), count + 1

    y, change, _ = jax.lax.while_loop(
        unfinished, improve, (start, jnp.asarray(jnp.inf), 0)
    )
    # A derivative is taken at y, so it must be finite even where no root was found.
    return jnp.where(change <= 1, y, start), change


def _value_and_slope(
    residual: Map, y: Vector
) -> tuple[Vector, Float[Array, "state state"]]:
    """The residual and its Jacobian, from one trace."""
    along = lambda v: jax.jvp(residual, (y,), (v,))  # noqa: E731
    values, slope = jax.vmap(along, out_axes=-1)(jnp.eye(y.shape[0]))
    return values[:, 0], slope


def _wrong_way(
    solution: Vector, start: Vector, moving: Vector, resolution: Resolution
) -> Bool[Array, ""]:
    """Whether some state really moves away from the proposed solution."""
    ahead = solution - start
    scale = 1e-6 * (jnp.abs(solution) + jnp.abs(start))  # far above rounding
    scale += 10 * resolution.absolute
    far = (jnp.abs(ahead) > scale) & (jnp.abs(moving) > scale)
    return jnp.any(far & (ahead * moving < 0))
