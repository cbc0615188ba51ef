"""Where the best amounts seem to be, from the designs of the table alone.

Smooth curves through the means of the table need no patient to be solved; from where
they are best, few designs remain to be solved on the way to the best amounts.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.interpolate import RegularGridInterpolator
from scipy.optimize import minimize

from imak_pkpd.choice import DecisionBlock
from imak_pkpd.decide.evaluate import Evaluated

CUBIC = 4  # designs of an amount: what monotone cubics need
Amounts = Float[np.ndarray, " dose"]


class Curves(NamedTuple):
    """Utility and room left by each limit, by the logarithms of the free amounts."""

    utility: RegularGridInterpolator
    room: Mapping[str, RegularGridInterpolator]


def first_guess(block: DecisionBlock, table: Evaluated, start: Amounts) -> Amounts:
    """The free amounts that the designs of one layout suggest; the others stay.

    `start` is one of these designs. It is kept where an amount has too few of them, and
    where the curves have no optimum.
    """
    free = np.array([choice.free for choice in block.amount.values()])
    axes = [np.log(c.shown) for c in block.amount.values() if c.free]
    if min(map(len, axes)) < CUBIC:
        return start
    curves = _curves(block, table, start, axes)
    found = minimize(
        lambda logs: -float(curves.utility(logs)[0]),
        np.log(start[free]),
        method="SLSQP",
        bounds=[(axis[0], axis[-1]) for axis in axes],
        constraints=[
            {"type": "ineq", "fun": lambda logs, room=room: float(room(logs)[0])}
            for room in curves.room.values()
        ],
    )
    guess = start.copy()
    if found.success:
        guess[free] = np.exp(found.x)
    return guess


def _curves(
    block: DecisionBlock, table: Evaluated, start: Amounts, axes: list[np.ndarray]
) -> Curves:
    def through(name: str) -> Float[np.ndarray, "..."]:
        shape = [len(choice.shown) for choice in block.amount.values()]
        every = table.means[name].mean((0, 1)).reshape(shape)
        return every[tuple(_place(block, start))]

    def curve(values: Float[np.ndarray, "..."]) -> RegularGridInterpolator:
        return RegularGridInterpolator(axes, values, method="pchip")

    rooms = {
        name: curve(each.at_most - through(f"limit[{name}]"))
        for name, each in block.limit.items()
    }
    return Curves(curve(through("utility")), rooms)


def _place(block: DecisionBlock, start: Amounts) -> list[slice | int]:
    """All designs of the free amounts, with the others as at the start."""
    return [
        slice(None) if choice.free else choice.shown.index(amount)
        for choice, amount in zip(block.amount.values(), start, strict=True)
    ]
