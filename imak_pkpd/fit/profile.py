"""The bend that the mode itself asks for: `profile_bend`, before any draw.

Along the profile of a coordinate (all others are where the density is largest) a
normal's potential rises alike on both sides. Where it does not, the coordinate is bent
until both sides are as far as their rise says.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from imak_pkpd.fit.bend import Bend, allowed, straight, unbent

_AWAY = 1.5  # SDs of the curvature: where the profile is compared
_CORRECTIONS = 4  # Newton steps of the others, with the curvature of the mode
_BELIEVED = 0.05  # the ratio of both sides' widths differs from 1 by more

Vector = Float[np.ndarray, " d"]
Evaluate = Callable[[Vector], tuple[float, Vector]]


def profile_bend(
    evaluate: Evaluate,
    centre: Vector,
    scale: Float[np.ndarray, "d d"],
    single: Bool[np.ndarray, " d"],
) -> Bend:
    """The bend of every `single` coordinate whose profile is lopsided at the mode.

    `evaluate` gives the potential and its gradient; `scale` has S Sᵀ = H⁻¹. Those whose
    profile does not rise on both sides stay straight.
    """
    lowest, _ = evaluate(centre)
    spread = scale @ scale.T
    found = np.stack(straight(len(centre)))
    for place in map(int, np.flatnonzero(single)):
        away = _AWAY * np.sqrt(spread[place, place])
        rises = [
            _rise(evaluate, centre, spread, place, side * away) - lowest
            for side in (1.0, -1.0)
        ]
        if min(rises) > 0:
            uneven = np.sqrt(rises[0] / rises[1])
            found[:, place] = centre[place], *_most_even(away, uneven)
    return Bend(*found)


def _rise(
    evaluate: Evaluate, centre: Vector, spread: np.ndarray, place: int, move: float
) -> float:
    """The potential where coordinate `place` is moved and the others have followed."""
    column = spread[place] / spread[place, place]
    at = centre + move * column
    value, gradient = evaluate(at)
    for _ in range(_CORRECTIONS):
        step = spread @ gradient
        further = at - (step - column * step[place])
        lower, gradient = evaluate(further)
        if not lower < value:
            break
        at, value = further, lower
    return float(value)


def _most_even(away: float, uneven: float) -> tuple[float, float]:
    """Softness and side whose widths have the ratio `uneven` of the roots of rises."""

    def off(bend: Bend) -> float:
        up, down = (float(unbent(bend, np.array([way]))[0]) for way in (away, -away))
        return abs(np.log(uneven * down / -up))

    best = (abs(np.log(uneven)), np.inf, 1.0)
    if best[0] < _BELIEVED:
        return best[1:]
    for softness in allowed(away / _AWAY):  # the SD of a logarithm is the CV
        for side in (1.0, -1.0):
            bend = Bend(np.zeros(1), np.array([softness]), np.array([side]))
            best = min(best, (off(bend), softness, side))
    return best[1:]
