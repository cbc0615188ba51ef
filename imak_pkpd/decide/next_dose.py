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
    NewPatient,
    NewPatients,
    last_dose,
    new_patients,
    patients_of,
)
from imak_pkpd.decide.next_records import Option, options_by_time, with_options
from imak_pkpd.decide.next_table import OptionRow, Outcomes, rows_of
from imak_pkpd.fit.estimates import estimand_group
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
    options: list[Option] = []
    outcomes: list[Outcomes] = []
    for part, ahead in _followed(asked, found.patient, block, times):
        options += part
        outcomes += [_outcomes(each, found) for each in ahead]
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


def _followed(
    asked: NewPatients,
    patient: NewPatient,
    block: DecisionBlock,
    times: Sequence[float],
) -> list[tuple[tuple[Option, ...], tuple[NewPatient, ...]]]:
    """Options that are given at one time, as subjects that are followed to one end."""
    problem, designs = patient.records.problem, asked.spec.cohort[block.cohort].dose
    parts = list(options_by_time(block, times))
    problems = [
        with_options(problem, patient.name, part, block.amount, designs)
        for part in parts
    ]
    given = [float(last_dose(each.schedule).max()) for each in problems]
    end = max(given) + asked.horizon
    return [
        (part, patients_of(each, asked.population, end - last))
        for part, each, last in zip(parts, problems, given, strict=True)
    ]


def _outcomes(option: NewPatient, found: IndividualPosterior) -> Outcomes:
    """The estimands of an option at the draws of the patient's posterior."""
    ahead = option.sampled_as(found.patient.records.forms).ahead
    if ahead.mesh is None:
        raise ValueError("the model has no time, so there is no next dose to choose")
    made = estimand_group(ahead.problem, ahead.forms, ahead.mesh, found.sites, chains=1)
    return {name: value.values[0, :, 0] for name, value in made.items()}
