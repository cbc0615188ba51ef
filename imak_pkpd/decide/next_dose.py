"""`next_doses`: whether, when and how much to infuse again, for patients of a file.

The patient's posterior (as in `forecast`) stays as it is; every option is solved on the
same draws of it. Utility and limits are those of [decision]; a limit holds for the mean
over the draws, as there is one patient. Estimands count from the last dose of an
option, and all options are followed to the same time. Research use, not a medical
device.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from imak_pkpd.choice import DecisionBlock
from imak_pkpd.decide.decision import decision_of
from imak_pkpd.decide.finished_run import FinishedRun
from imak_pkpd.decide.forecast import SEED
from imak_pkpd.decide.individual_posterior import (
    IndividualPosterior,
    Method,
    individual_posterior,
)
from imak_pkpd.decide.new_patients import (
    NewPatients,
    new_patients,
)
from imak_pkpd.decide.next_table import OptionRow, rows_of
from imak_pkpd.decide.option import options_at
from imak_pkpd.decide.options_ahead import ahead_under, outcomes_of
from imak_pkpd.fit.progress import Progress, Silent


class NextDose(NamedTuple):
    """The answer for one patient; `chosen` is None where no option is admissible.

    `as_good` are admissible options less than the margin below the chosen one; `draws`
    counts those in which every option could be solved.
    """

    posterior: IndividualPosterior
    block: DecisionBlock
    rows: tuple[OptionRow, ...]
    chosen: int | None
    as_good: tuple[int, ...]
    draws: int

    @property
    def name(self) -> str:
        return self.posterior.patient.name


class NextDoses(NamedTuple):
    """Those of all patients of a file, and what was asked."""

    asked: NewPatients
    times: tuple[float, ...]
    seed: int
    method: Method
    patients: tuple[NextDose, ...]


def next_doses(
    run: FinishedRun,
    file: Path,
    times: Sequence[float],
    horizon: float | None = None,
    method: Method = "auto",
    seed: int = SEED,
    progress: Progress | None = None,
) -> NextDoses:
    """The options of all patients in `file` at `times`; nothing is written.

    All are followed to `horizon` after the last of `times`. Raises a `ValueError` for
    a run without [decision] and as `new_patients` does.
    """
    said = progress or Silent()
    block = decision_of(run.spec)
    said.stage("placing the steps")
    asked = new_patients(run, file, horizon)
    made = []
    for patient in asked.patients:
        said.stage(f"patient {patient.name}: posterior")
        found = individual_posterior(patient, asked.population, seed, method)
        said.stage(f"patient {patient.name}: options")
        made.append(choose(asked, found, block, sorted(set(times))))
    return NextDoses(asked, tuple(times), seed, method, tuple(made))


def choose(
    asked: NewPatients,
    found: IndividualPosterior,
    block: DecisionBlock,
    times: Sequence[float],
) -> NextDose:
    """The table of one patient, and its best row."""
    options = list(options_at(block, times))
    ahead = ahead_under(options, found.patient, asked.population, asked.horizon)
    outcomes = [outcomes_of(each, found.sites) for each in ahead]
    rows, draws = rows_of(block, options, outcomes, found.sampling.effective_draws)
    fit = [place for place, row in enumerate(rows) if row.admissible]
    chosen = max(fit, key=lambda place: rows[place].utility) if fit else None
    near = () if chosen is None else _near(rows, rows[chosen].utility - block.margin)
    return NextDose(found, block, rows, chosen, near, draws)


def _near(rows: Sequence[OptionRow], least: float) -> tuple[int, ...]:
    return tuple(
        place
        for place, row in enumerate(rows)
        if row.admissible and row.utility >= least
    )
