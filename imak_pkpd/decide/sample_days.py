"""`sample_days`: which sample, on which day, is worth drawing.

For every assay and day: by how much it narrows each estimand of a new patient, and what
the utility gains where [decision] leaves something open after it, to its cohort or to
the patient of a file. Each number is of that one sample alone, for a patient of whom
nothing else is known but what is stated.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from imak_pkpd.decide.assays import Assays, Days, assayed
from imak_pkpd.decide.candidate_days import (
    Span,
    candidate_days,
    span_of_cohort,
    span_of_patient,
)
from imak_pkpd.decide.draws import cohort_draws
from imak_pkpd.decide.finished_run import FinishedRun, Sites, drawn_sites
from imak_pkpd.decide.imagined import (
    Imagined,
    Known,
    given_patient,
    imagine,
    known,
    standard_patient,
)
from imak_pkpd.decide.imagined_cohort import choices
from imak_pkpd.decide.new_patients import default_horizon
from imak_pkpd.decide.of_run import with_states
from imak_pkpd.decide.option import NotForOneError
from imak_pkpd.decide.patient_choice import patient_choice
from imak_pkpd.decide.quantities import Quantity, quantities
from imak_pkpd.decide.sample_gains import Gained, choice_words, gained, perfect_gain
from imak_pkpd.decide.sample_worth import (
    UNKNOWN,
    Estimate,
    variance_reduction,
)
from imak_pkpd.decide.table import UNSOLVED
from imak_pkpd.decide.words import design_words
from imak_pkpd.fit.problem import Problem, read_model, read_problem
from imak_pkpd.fit.progress import Progress, Silent
from imak_pkpd.fit.spec import FitSpec

NO_CHOICE = "There is no [decision]: what a sample is worth for a choice is not asked."
LEAST = 50  # patients: the spread of fewer is not known, nor what narrows it


class Question(NamedTuple):
    """What is asked of a run; `days` are TIMEs, None: days 0 to 7.

    `patient` is a file with the records of one patient, `assays` one with [output]
    blocks in place of the fit's; `outputs` are those of them that may be drawn.
    """

    patient: Path | None = None
    assays: Path | None = None
    outputs: tuple[str, ...] = ()
    days: Days | None = None
    patients: int = 4000
    seed: int = 1


class Narrowed(NamedTuple):
    """How much one sample is expected to narrow a quantity."""

    output: str
    day: float
    quantity: str
    reduction: Estimate


class SampleDays(NamedTuple):
    """The answer: `who` is treated, `choice` what the utility can gain, in words.

    `evpi` is the gain by knowing everything of a patient before the first dose; None
    without designs to choose from. `effective` draws stand behind `patients`.
    """

    question: Question
    assays: Assays
    unit: str
    who: str
    quantities: tuple[Quantity, ...]
    narrowed: tuple[Narrowed, ...]
    gained: tuple[Gained, ...]
    evpi: Estimate | None
    choice: str
    patients: int
    unsolved: int
    effective: float
    complaint: str

    @property
    def reliable(self) -> bool:
        """Whether nothing speaks against the numbers themselves."""
        return not self.complaint


def sample_days(
    run: FinishedRun, question: Question, progress: Progress | None = None
) -> SampleDays:
    """The answer for the patient of a file; else for patients of the cohort of
    [decision]; else for one treated as the first of the fit.

    Raises a `ValueError` for what the fit, its model and the question do not agree on.
    """
    said = progress or Silent()
    if question.patient is None and run.spec.decision is not None:
        return _of_cohort(run, question, said)
    return _of_patient(run, question, said)


def _of_patient(run: FinishedRun, question: Question, said: Progress) -> SampleDays:
    problem = _problem(run)
    said.stage("placing the steps")
    patient, population = (
        standard_patient(run, problem)
        if question.patient is None
        else given_patient(run, question.patient)
    )
    assays = _assays(run.spec, question, problem, span_of_patient(patient))
    said.stage("draws of the patient")
    draws = known(patient, population, question.patients, question.seed)
    worth = _worth_to_patient(run, question, draws, population, assays, said)
    said.stage("samples of simulated patients")
    found = imagine(draws, assays, question.seed)
    made = patient.ahead.problem
    units = {**made.model.outputs, "time": made.model.time}
    what = quantities(made.spec.estimand, found.kept.estimands, units)
    if not what:
        raise ValueError(
            f"{run.spec.path.name} has no [estimand] of a model with states, so there "
            "is nothing to learn: write one"
        )
    said.stage("what the samples say")
    return SampleDays(
        question,
        assays,
        made.model.time,
        _who(draws, question),
        tuple(what),
        tuple(_narrowed(what, found.kept, assays, wider(draws))),
        worth.gained,
        worth.evpi,
        worth.choice,
        len(found.solved),
        int((~found.solved).sum()),
        draws.effective,
        _complaint(found, draws),
    )


class _Worth(NamedTuple):
    """What the utility can gain, and the choice in words."""

    gained: tuple[Gained, ...]
    evpi: Estimate | None
    choice: str


def _worth_to_patient(
    run: FinishedRun,
    question: Question,
    draws: Known,
    population: Sites,
    assays: Assays,
    said: Progress,
) -> _Worth:
    """By the designs of [decision] that are still open to the patient."""
    if run.spec.decision is None:
        return _Worth((), None, NO_CHOICE)
    horizon = default_horizon(run.spec, run.tree)
    asked = (draws, population, horizon, assays, question.seed, said.stage)
    try:
        own = patient_choice(*asked)
    except NotForOneError as why:
        return _Worth((), None, f"What a sample gains in utility is not known: {why}.")
    more = wider(draws)
    gains = tuple(
        each._replace(gain=each.gain.widened(more), bound=each.bound.widened(more))
        for each in gained(own.choice, assays)
    )
    evpi = perfect_gain(own.choice)
    return _Worth(
        gains,
        None if evpi is None else evpi.widened(more),
        f"{own.words} {choice_words(own.choice, gains)}",
    )


def wider(draws: Known) -> float:
    """How much larger errors are than those of so many independent draws."""
    many = len(next(iter(draws.sites.values())))
    return float(np.sqrt(max(many / draws.effective, 1.0)))


def _of_cohort(run: FinishedRun, question: Question, said: Progress) -> SampleDays:
    spec, decision = run.spec, run.spec.decision
    assert decision is not None  # by `sample_days`
    model = with_states(spec)
    problem = None if spec.data is None else read_problem(spec)
    span = span_of_cohort(spec, decision.cohort)
    assays = _assays(spec, question, problem, span)
    sites = {**cohort_draws(run, model, decision.cohort), **_assay_sites(run, assays)}
    made = choices(assays, model, sites, question.patients, said.stage)
    found = made.patients.kept
    units = {**model.outputs, "time": model.time}
    what = quantities(spec.estimand, found.estimands, units)
    said.stage("what the samples say")
    many = len(found.solved)
    gains = tuple(gained(made.choice, assays))
    return SampleDays(
        question,
        assays,
        model.time,
        f"the cohort {decision.cohort}, {design_words(made.shown)}",
        tuple(what),
        tuple(_narrowed(what, found, assays, 1.0)),
        gains,
        perfect_gain(made.choice),
        choice_words(made.choice, gains),
        len(made.patients.solved),
        int((~made.patients.solved).sum()),
        float(many),
        _complaint(made.patients, None),
    )


def _problem(run: FinishedRun) -> Problem:
    """That of the fit's patients; a `ValueError` where it has none."""
    if run.spec.data is None:
        raise ValueError(
            f"{run.spec.path.name} has neither [data] nor [decision], so it does not "
            "say how a patient is treated: write a [decision]"
        )
    return read_problem(run.spec)


def _assays(
    spec: FitSpec, question: Question, problem: Problem | None, span: Span
) -> Assays:
    """Those of the question on its days."""
    model = read_model(spec)
    days = candidate_days(question.days, model.time, span)
    return assayed(spec, model, question.assays, question.outputs, days, problem)


def _assay_sites(run: FinishedRun, assays: Assays) -> dict[str, np.ndarray]:
    """The numbers of the assays that the run has sampled."""
    drawn = drawn_sites(run.spec, run.tree)
    wanted = [
        f"{name}_{key}{of}"
        for name, block in assays.spec.output.items()
        for key in block.numbers
        for of in ("", "_variance")
    ]
    return {name: drawn[name] for name in wanted if name in drawn}


def _who(draws: Known, question: Question) -> str:
    name = draws.patient.name
    if question.patient is None:
        return (
            f"a new patient with the doses and covariates of patient {name} of the fit"
        )
    if draws.sampling is None:
        return f"patient {name}, who has no sample yet"
    return f"patient {name}, given the samples so far"


def _complaint(found: Imagined, draws: Known | None) -> str:
    """What speaks against the numbers; empty: nothing."""
    lost = float((~found.solved).mean())
    if lost > UNSOLVED:
        return f"{lost:.1%} of the simulated patients could not be solved"
    found_by = None if draws is None else draws.sampling
    if found_by is None or found_by.reliable:
        return ""
    return "the draws of the patient are not reliable (k-hat, R-hat or the solver)"


def _narrowed(
    what: list[Quantity], found: Imagined, assays: Assays, wider: float
) -> Iterator[Narrowed]:
    """Every assay on every day; errors are so much wider than those of the draws."""
    for among in _alike(what):
        some = [each for each in what if (each.among == among).all()]
        values = np.stack([each.values[among] for each in some], 1)
        for name in assays.names:
            for place, day in enumerate(assays.days):
                reading = found.reported[name][among, place]
                made = _reductions(values, reading, found.blocks[among])
                for quantity, each in zip(some, made, strict=True):
                    yield Narrowed(name, day, quantity.name, each.widened(wider))


def _alike(what: list[Quantity]) -> list[np.ndarray]:
    """The distinct sets of patients of whom quantities are known."""
    return list({each.among.tobytes(): each.among for each in what}.values())


def _reductions(
    values: np.ndarray, reading: np.ndarray, blocks: np.ndarray
) -> list[Estimate]:
    if len(reading) < LEAST:
        return [UNKNOWN] * values.shape[1]
    return variance_reduction(values, reading, blocks)
