"""One patient under every option: followed to the same end, on the same draws."""

from collections.abc import Sequence

from imak_pkpd.decide.decision import decision_of
from imak_pkpd.decide.finished_run import Sites
from imak_pkpd.decide.new_patients import NewPatient, last_dose, patients_of
from imak_pkpd.decide.next_records import with_options
from imak_pkpd.decide.next_table import Outcomes
from imak_pkpd.decide.option import Option
from imak_pkpd.fit.estimates import estimand_group
from imak_pkpd.fit.problem import Problem


def ahead_under(
    options: Sequence[Option], patient: NewPatient, population: Sites, horizon: float
) -> list[NewPatient]:
    """The patient under each option, all to `horizon` after the last dose of any.

    Random effects have the forms of `patient`. Raises a `ValueError` as `with_options`
    does. Options that end with the same dose share their steps.
    """
    ends = dict.fromkeys(each.last for each in options)
    parts = {end: [each for each in options if each.last == end] for end in ends}
    problems = {end: _problem(patient, part) for end, part in parts.items()}
    given = {end: float(last_dose(p.schedule).max()) for end, p in problems.items()}
    until = max(given.values()) + horizon
    found: dict[Option, NewPatient] = {}
    for end, part in parts.items():
        made = patients_of(problems[end], population, until - given[end])
        found |= zip(part, made, strict=True)
    forms = patient.records.forms
    return [found[each].sampled_as(forms) for each in options]


def _problem(patient: NewPatient, options: Sequence[Option]) -> Problem:
    problem = patient.records.problem
    block = decision_of(problem.spec)
    designs = problem.spec.cohort[block.cohort].dose
    return with_options(problem, patient.name, options, block.amount, designs)


def outcomes_of(option: NewPatient, sites: Sites) -> Outcomes:
    """The estimands of an option at draws of the patient's posterior."""
    ahead = option.ahead
    if ahead.mesh is None:
        raise ValueError("the model has no time, so there is no next dose to choose")
    made = estimand_group(ahead.problem, ahead.forms, ahead.mesh, sites, chains=1)
    return {name: value.values[0, :, 0] for name, value in made.items()}
