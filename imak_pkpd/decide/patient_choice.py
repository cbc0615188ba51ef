"""The choice that [decision] leaves open for one patient, at draws of their posterior.

All options have the same draws and errors of the assays, so that what differs between
them differs by what is given.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from imak_pkpd.choice import DecisionBlock
from imak_pkpd.decide.assays import Assays
from imak_pkpd.decide.decision import decision_of
from imak_pkpd.decide.finished_run import Sites
from imak_pkpd.decide.histories import given_by_option
from imak_pkpd.decide.imagined import Known, Reported, blocks_of, reports
from imak_pkpd.decide.next_table import (
    Outcomes,
    rows_of,
    solved_draws,
    utility_of,
)
from imak_pkpd.decide.open_options import last_record, open_options
from imak_pkpd.decide.option import Option
from imak_pkpd.decide.options_ahead import ahead_under, outcomes_of
from imak_pkpd.decide.sample_gains import Choice

MOST_NAMED = 6
"""More options than this are counted in a sentence."""

Stage = Callable[[str], None]


class PatientChoice(NamedTuple):
    """The options of one patient, and the choice among them."""

    options: tuple[Option, ...]
    choice: Choice
    after: float

    @property
    def words(self) -> str:
        """What is open after the last record, and what is best as things stand."""
        named = "; ".join(each.words for each in self.options)
        if len(self.options) > MOST_NAMED:
            named = f"{len(self.options)} options"
        best = self.choice.best
        now = "" if best is None else f" Best as things stand: {self._words(best)}."
        return (
            f"After the last record (at {self.after:g}) the designs of [decision] "
            f"leave: {named}. Their times are TIMEs of the file.{now}"
        )

    def _words(self, place: int) -> str:
        return self.options[place].words


def patient_choice(
    draws: Known,
    population: Sites,
    horizon: float,
    assays: Assays,
    seed: int,
    stage: Stage,
) -> PatientChoice:
    """The options at all draws, every one followed to the same end.

    Raises a `ValueError` as `open_options` and `with_options` do.
    """
    patient, block = draws.patient, decision_of(assays.spec)
    options = open_options(assays.spec, block, patient)
    ahead = ahead_under(options, patient, population, horizon)
    outcomes = []
    for number, each in enumerate(ahead):
        stage(f"options: {number} of {len(options)}")
        outcomes.append(outcomes_of(each, draws.sites))
    stage("samples under every option")
    seen = reports([each.ahead for each in ahead], assays, draws.sites, seed)
    choice = _choice(block, options, outcomes, seen, draws.effective)
    return PatientChoice(options, choice, last_record(patient))


def _choice(
    block: DecisionBlock,
    options: Sequence[Option],
    outcomes: Sequence[Outcomes],
    seen: Sequence[Reported],
    effective: float,
) -> Choice:
    """At the draws that are solved under every option."""
    rows, _ = rows_of(block, options, outcomes, effective)
    holds = np.array([row.admissible for row in rows])
    pairs = zip(options, outcomes, strict=True)
    utility = np.stack([utility_of(block, *pair) for pair in pairs], 1)
    kept = _solved(outcomes, seen)
    worth = np.where(holds, utility[kept].mean(0), -np.inf)
    return Choice(
        given=[given_by_option(each) for each in options],
        holds=holds,
        best=int(np.argmax(worth)) if holds.any() else None,
        utility=utility[kept],
        reported=[{n: v[kept] for n, v in each.items()} for each in seen],
        blocks=blocks_of(len(kept))[kept],
        limited=bool(block.limit),
    )


def _solved(outcomes: Sequence[Outcomes], seen: Sequence[Reported]) -> np.ndarray:
    """By draw: every estimand, and a report on every day, under every option."""
    there = [~np.isnan(v).any(1) for each in seen for v in each.values()]
    return np.logical_and.reduce([*map(solved_draws, outcomes), *there])
