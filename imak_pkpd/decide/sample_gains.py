"""What a sample gains in utility where [decision] leaves something open after it.

What is given before the sample is chosen without it, so that only designs of one
history are chosen between; the best history is the answer. Where each history has one
design, the sample gains exactly nothing.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from imak_pkpd.decide.assays import Assays
from imak_pkpd.decide.histories import Given, histories
from imak_pkpd.decide.imagined import Reported
from imak_pkpd.decide.sample_worth import (
    Estimate,
    perfect_information,
    worth_of_choosing,
)


class Choice(NamedTuple):
    """Designs, or options of one patient, on the same simulated patients.

    `best` is the admissible one of the largest expected utility, None: none is;
    `limited`: whether limits say which are admissible. Patients of one block have
    draws that are neighbours.
    """

    given: Sequence[Given]
    holds: Bool[np.ndarray, " design"]
    best: int | None
    utility: Float[np.ndarray, "patient design"]
    reported: Sequence[Reported]
    blocks: Int[np.ndarray, " patient"]
    limited: bool


class Gained(NamedTuple):
    """The expected gain in utility by one sample, and by knowing the patient fully.

    `designs` are still open after it, that of the best choice among them.
    """

    output: str
    day: float
    gain: Estimate
    bound: Estimate
    designs: int


def gained(made: Choice, assays: Assays) -> Iterator[Gained]:
    """Every assay on every day; nothing where no design is admissible."""
    if made.best is None:
        return
    against, blocks = made.utility[:, made.best], made.blocks
    admissible = np.flatnonzero(made.holds).tolist()
    for name in assays.names:
        for place, day in enumerate(assays.days):
            found = []
            for some in histories(made.given, admissible, day):
                utility = made.utility[:, some]
                reading = made.reported[some[0]][name][:, place]
                gain = worth_of_choosing(utility, against, reading, blocks)
                bound = perfect_information(utility, against, blocks)
                found.append(Gained(name, day, gain, bound, len(some)))
            best = max(found, key=lambda each: each.gain.value)
            most = max((each.bound for each in found), key=lambda each: each.value)
            yield best._replace(bound=most)


def perfect_gain(made: Choice) -> Estimate | None:
    """By knowing the patient fully before anything is chosen."""
    if made.best is None:
        return None
    return perfect_information(
        made.utility[:, made.holds],
        made.utility[:, made.best],
        made.blocks,
    )


def choice_words(made: Choice, gains: Sequence[Gained]) -> str:
    """What the utility can gain at all."""
    if made.best is None:
        return (
            "No design is admissible, so there is nothing that a sample could change."
        )
    limits = (
        " Only designs that are admissible without the sample take part." * made.limited
    )
    if all(each.designs == 1 for each in gains):
        return (
            "Nothing is open on these days: no two admissible designs have given the "
            f"same until then, so a sample gains exactly 0.{limits}"
        )
    return f"A choice is open on some of these days.{limits}"
