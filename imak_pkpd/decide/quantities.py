"""What is to be learnt of a patient: estimands as numbers that have a variance.

| estimand | quantity | value | among |
|---|---|---|---|
| crossing | NAME crossed | 1 if it crossed by the end, else 0 | all |
| crossing | NAME never above | 1 if never above the limit, else 0 | all |
| crossing | NAME where it crosses | the time | who crosses |
| any other | NAME | the number; of a chance the patient's own chance | all |

A time that is not there (not crossed, never above) is thus never a clipped number.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from imak_pkpd.estimand import AbstractEstimand, Outcome

Estimands = Mapping[str, Float[np.ndarray, " patient"]]


class Quantity(NamedTuple):
    """One number per patient, what it is, and of whom it is known."""

    name: str
    definition: str
    values: Float[np.ndarray, " patient"]
    among: Bool[np.ndarray, " patient"]


def quantities(
    blocks: Mapping[str, AbstractEstimand], found: Estimands, units: Mapping[str, str]
) -> list[Quantity]:
    """All quantities of solved patients, in the order of the fit file."""
    return [
        quantity
        for name, block in blocks.items()
        if name in found
        for quantity in _of(name, block.definition(units), found)
    ]


def _of(name: str, words: str, found: Estimands) -> Iterator[Quantity]:
    values, outcome = found[name], found.get(f"{name}_outcome")
    everyone = np.ones(len(values), bool)
    if outcome is None:
        yield Quantity(name, words, values, everyone)
        return
    crossed, never = outcome == Outcome.crossed, outcome == Outcome.never_above
    yield Quantity(
        f"{name} crossed", f"whether there is: {words}", crossed * 1.0, everyone
    )
    yield Quantity(
        f"{name} never above",
        f"whether never above the limit: {words}",
        never * 1.0,
        everyone,
    )
    yield Quantity(
        f"{name} where it crosses",
        f"among the {crossed.mean():.1%} who cross: {words}",
        values,
        crossed,
    )
