"""Which designs of the toy are still open, counted by hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from imak_pkpd.decide.decision import decision_of
from imak_pkpd.decide.designs import Treated, laid_out, layouts, shown_amounts
from imak_pkpd.decide.histories import Given, given_by_design, histories
from imak_pkpd.fit.problem import read_model
from imak_pkpd.fit.virtual import unplaced_cohort
from tests.decide.toy import toy_spec

CHOICE = """
[decision]
cohort = "trial"
utility = "gain"
[decision.amount]
a = { levels = [2.0, 8.0, 32.0] }
[decision.times]
b = { options = [[0.0], [0.0, 1.0], [0.0, 2.0]] }
[decision.group]
odd = [0.0, 1.0]
"""
SPLIT = """
[decision]
cohort = "trial"
utility = "gain"
[decision.amount]
b = { levels = [4.0] }
[decision.times]
b = { options = [[0.0], [0.0, 1.0]], split = true }
"""


def designs(folder: Path, text: str) -> Iterator[Given]:
    """All designs, on cohorts without steps."""
    spec = toy_spec(folder, text)
    model, block = read_model(spec), decision_of(spec)
    for layout in layouts(block):
        cohort = laid_out(spec.cohort["trial"], block, layout)
        own = spec.model_copy(update={"cohort": {"trial": cohort}})
        parts = {
            name: 1 / len(layout.times[name]) if name in layout.times else 1.0
            for name in block.amount
        }
        made = Treated(block, layout, unplaced_cohort(own, model, "trial", 4), parts)
        yield from (given_by_design(made, row) for row in shown_amounts(block))


@pytest.mark.parametrize(
    ("day", "sizes"),
    [
        (-0.5, [9, 9]),  # nothing given; `odd` has no dose: decided from the beginning
        (0.0, [3] * 6),  # three amounts of a, odd or not; the second b is open
        (1.0, [1, 2] * 6),  # b of day 1 given or not; without it day 2 is open
        (2.0, [1] * 18),
    ],
)
def test_what_is_open(tmp_path: Path, day: float, sizes: list[int]) -> None:
    made = list(designs(tmp_path, CHOICE))
    found = histories(made, range(len(made)), day)
    assert sorted(map(len, found)) == sorted(sizes)
    assert sorted(place for some in found for place in some) == list(range(18))


def test_a_split_dose_differs_from_its_first_part_on(tmp_path: Path) -> None:
    made = list(designs(tmp_path, SPLIT))
    assert histories(made, [0, 1], -1.0) == [[0, 1]]
    assert histories(made, [0, 1], 0.0) == [[0], [1]]
    assert histories(made, [1], -1.0) == [[1]]
