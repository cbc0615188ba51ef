"""Which designs are still open on a day: those that gave the same until then.

A sample cannot change what was given before it was drawn, nor on the same time.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

from imak_pkpd.decide.designs import Treated
from imak_pkpd.decide.option import Option

Given = tuple[tuple[str, float, float], ...]
"""(name, time, amount) of all that a design gives, or decides, and when."""


def histories(
    given: Sequence[Given], places: Sequence[int], day: float
) -> list[list[int]]:
    """The `places` of designs, put together where they gave the same up to `day`."""
    found: dict[Given, list[int]] = {}
    for place in places:
        until = tuple(each for each in given[place] if each[1] <= day)
        found.setdefault(until, []).append(place)
    return list(found.values())


def given_by_design(made: Treated, amounts: Float[np.ndarray, " dose"]) -> Given:
    """All doses of a design, and the groups that it decides.

    A group is decided with the first of its doses; one without a dose of its own, such
    as a type of donor, from the beginning.
    """
    return tuple(_given_by_design(made, amounts))


def _given_by_design(
    made: Treated, amounts: Float[np.ndarray, " dose"]
) -> Iterator[tuple[str, float, float]]:
    block = made.cohort.block
    chosen = dict(zip(made.block.amount, amounts, strict=True))
    for name, dose in block.dose.items():
        part = float(chosen.get(name, 0.0)) * made.parts.get(name, 1.0)
        yield from ((name, time, part) for time in dose.times)
    for name, share in made.layout.group.items():
        times = [min(d.times) for d in block.dose.values() if d.group == name]
        yield name, min(times, default=-np.inf), share


def given_by_option(option: Option) -> Given:
    """All further doses of one patient."""
    return tuple((e.name, e.time, e.amount * e.part) for e in option.doses)
