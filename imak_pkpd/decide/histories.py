"""Which designs are still open on a day: those that gave the same until then.

A sample cannot change what was given before it was drawn, nor on the same time.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from imak_pkpd.decide.designs import Treated

Design = tuple[Treated, Float[np.ndarray, " dose"]]
"""A layout, and the chosen amounts."""


def histories(
    designs: Sequence[Design], places: Sequence[int], day: float
) -> list[list[int]]:
    """The `places` of designs, put together where they gave the same up to `day`."""
    found: dict[Any, list[int]] = {}
    for place in places:
        found.setdefault(tuple(_given(*designs[place], day)), []).append(place)
    return list(found.values())


def _given(
    made: Treated, amounts: Float[np.ndarray, " dose"], day: float
) -> Iterator[tuple[str, float, float]]:
    """(dose, time, amount) of all that was given, and the groups that were decided.

    A group is decided with the first of its doses; one without a dose of its own, such
    as a type of donor, from the beginning.
    """
    block, chosen = (
        made.cohort.block,
        dict(zip(made.block.amount, amounts, strict=True)),
    )
    for name, dose in block.dose.items():
        part = float(chosen.get(name, 0.0)) * made.parts.get(name, 1.0)
        yield from ((name, time, part) for time in dose.times if time <= day)
    for name, share in made.layout.group.items():
        times = [min(d.times) for d in block.dose.values() if d.group == name]
        if min(times, default=-np.inf) <= day:
            yield name, -np.inf, share
