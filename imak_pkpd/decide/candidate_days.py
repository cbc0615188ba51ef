"""The days on which a sample may be drawn, and whether it can be then."""

from typing import NamedTuple

import numpy as np

from imak_pkpd.decide.assays import Days
from imak_pkpd.decide.new_patients import NewPatient
from imak_pkpd.fit.spec import FitSpec

WEEK = tuple(float(day) for day in range(8))
PER_DAY = {
    "day": 1.0,
    "d": 1.0,
    "hour": 24.0,
    "h": 24.0,
    "week": 1 / 7,
    "minute": 1440.0,
}


class Span(NamedTuple):
    """When a sample `of` somebody can be drawn."""

    of: str
    begin: float
    end: float


def candidate_days(asked: Days | None, unit: str, span: Span) -> Days:
    """The days asked for, else days 0 to 7; a `ValueError` for one outside the span."""
    days = asked or _week(unit, span)
    for day in days:
        if not span.begin <= day <= span.end:
            raise ValueError(
                f"got day {day:g}, but a sample of {span.of} can be drawn from "
                f"{span.begin:g} to {span.end:g} {unit}: give --days between them"
            )
    return days


def _week(unit: str, span: Span) -> Days:
    """Days 0 to 7 in the model's unit, as far as they are inside the span."""
    if unit not in PER_DAY:
        raise ValueError(
            f"the model counts time in '{unit}', so days 0 to 7 are unknown: give "
            "--days in that unit"
        )
    week = (day * PER_DAY[unit] for day in WEEK)
    inside = tuple(day for day in week if span.begin <= day <= span.end)
    if not inside:
        raise ValueError(
            f"a sample of {span.of} can be drawn from {span.begin:g} to {span.end:g} "
            f"{unit}, which has none of days 0 to 7: give --days"
        )
    return inside


def span_of_patient(patient: NewPatient) -> Span:
    """From the last record on, or from the first where there is no sample yet."""
    here, ahead = patient.records.problem.schedule, patient.ahead.problem.schedule
    sampled = np.asarray(here.observations.mask).any()
    begin = np.asarray(here.end if sampled else here.begin)[0]
    end = np.asarray(ahead.end)[0]
    return Span(f"patient {patient.name}", float(begin), float(end))


def span_of_cohort(spec: FitSpec, name: str) -> Span:
    cohort = spec.cohort[name]
    return Span(f"the cohort {name}", cohort.begin, cohort.horizon)
