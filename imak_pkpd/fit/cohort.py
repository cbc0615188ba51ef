"""A cohort file: patients that do not exist, their doses, samples and true values.

The fit file says the rest; `simulate_cohort` in `synthesis.py` makes the patient file.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from imak_pkpd.evidence.design import GroupDesign
from imak_pkpd.fit.grammar import FitError, Source, read_source
from imak_pkpd.fit.sentence import sentences
from imak_pkpd.fit.spec import FitSpec

SYNTHETIC = "synthetic-"
"""How the ID of a patient begins who does not exist: read on every table and figure."""

COLUMNS = (
    *("ID", "TIME", "EVID", "AMT", "RATE", "CMT"),
    *("DVID", "DV", "CENS", "LLOQ"),
)

DOSE_DIGITS = 3  # significant ones of an amount that differs between patients

Positive = Annotated[float, Field(gt=0)]
Spread = Annotated[float, Field(ge=1)]
Times = Annotated[tuple[float, ...], Field(min_length=1)]
Arms = Annotated[
    tuple[Positive, ...],
    Field(min_length=1),
    BeforeValidator(lambda raw: raw if isinstance(raw, list) else (raw,)),
]
Row = Mapping[str, str | float]


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CovariateDesign(_Block):
    """A covariate, constant in a patient: log-normal, rounded to `digits` decimals.

    With `along`, a covariate above it in the file, its median in a patient is
    `median` times (that one / that one's median)^`exponent`.
    """

    median: Positive
    gsd: Spread = 1.0
    digits: int = 1
    along: str | None = None
    exponent: float = 1.0


class DoseDesign(_Block):
    """`amount` times the covariate `per` at each of `times`; `duration` 0 is a bolus.

    A list of amounts is as many arms: patients get them in turn. With a `gsd` the
    amount differs between patients, log-normally, and is recorded. With `group` only
    the patients in that group get the dose.
    """

    times: Times
    amount: Arms
    per: str | None = None
    gsd: Spread = 1.0
    duration: Annotated[float, Field(ge=0)] = 0.0
    group: str | None = None


class SampleDesign(_Block):
    """An output measured at `times`; below `lloq` only that is reported (CENS 1).

    Of a time to an event, `times` are visits until the end of follow-up; risk begins
    with the patient's first record, so let 0 be one.
    """

    times: Times
    lloq: Positive | None = None


class Cohort(_Block):
    """`subjects` patients; doses and samples by the names that model and fit use.

    `truth` has the names of the parameter table: `CL_pop` (natural), `omega_CL`,
    `corr_CL_V`, `beta_CL_WT`, `donor_sigma`.
    """

    subjects: Annotated[int, Field(ge=1)]
    covariate: dict[str, CovariateDesign] = {}
    group: dict[str, GroupDesign] = {}
    dose: dict[str, DoseDesign] = {}
    sample: Annotated[dict[str, SampleDesign], Field(min_length=1)]
    truth: dict[str, float]


def read_cohort(path: Path) -> tuple[Cohort, Source]:
    """The cohort file and its lines; a `ValueError` says what is wrong with it."""
    source = read_source(path)
    try:
        return Cohort.model_validate(source.tree), source
    except ValidationError as error:
        raise FitError(sentences(error, source, Cohort)) from None


def design(spec: FitSpec, cohort: Cohort, rng: np.random.Generator) -> pd.DataFrame:
    """The rows of the patient file; DV and CENS are empty."""
    rows = [
        row
        for number in range(cohort.subjects)
        for row in _patient(spec, cohort, number, rng)
    ]
    return pd.DataFrame(rows, columns=[*COLUMNS, *cohort.covariate, *cohort.group])


def _patient(
    spec: FitSpec, cohort: Cohort, number: int, rng: np.random.Generator
) -> list[Row]:
    """The records of one patient in order of TIME; a sample comes before a dose."""
    name = f"{SYNTHETIC}{number + 1:0{len(str(cohort.subjects))}d}"
    own = _covariates(cohort, rng)
    own |= _groups(cohort, rng)
    samples = [{"ID": name, **row, **own} for row in _samples(spec, cohort)]
    doses = [
        {"ID": name, **row, **own} for row in _doses(spec, cohort, number, own, rng)
    ]
    return sorted(samples + doses, key=lambda row: float(row["TIME"]))


def _covariates(cohort: Cohort, rng: np.random.Generator) -> dict[str, float]:
    own: dict[str, float] = {}
    for column, block in cohort.covariate.items():
        value = block.median * _factor(block.gsd, rng)
        if block.along is not None:
            usual = cohort.covariate[block.along].median
            value *= (own[block.along] / usual) ** block.exponent
        own[column] = float(np.round(value, block.digits))
    return own


def _groups(cohort: Cohort, rng: np.random.Generator) -> dict[str, float]:
    own: dict[str, float] = {}
    for column, block in cohort.group.items():
        chance = block.share * (1.0 if block.among is None else own[block.among])
        own[column] = float(rng.random() < chance)
    return own


def _doses(
    spec: FitSpec,
    cohort: Cohort,
    number: int,
    own: Mapping[str, float],
    rng: np.random.Generator,
) -> Iterator[Row]:
    inputs = spec.data.inputs if spec.data else {}
    numbers = {name: number for number, name in inputs.items()}
    for name, block in cohort.dose.items():
        amount = _amount(block, number, own, rng)
        rate = amount / block.duration if block.duration > 0 else np.nan
        given = block.group is None or own[block.group] == 1.0
        for time in block.times if given else ():
            yield {
                **{"TIME": time, "EVID": 1, "AMT": amount, "RATE": rate},
                "CMT": numbers[name],
            }


def _amount(
    block: DoseDesign, number: int, own: Mapping[str, float], rng: np.random.Generator
) -> float:
    per = 1.0 if block.per is None else own[block.per]
    amount = block.amount[number % len(block.amount)]
    return float(f"{amount * per * _factor(block.gsd, rng):.{DOSE_DIGITS}g}")


def _samples(spec: FitSpec, cohort: Cohort) -> Iterator[Row]:
    for name, block in cohort.sample.items():
        for time in block.times:
            row = {"TIME": time, "EVID": 0, "DVID": spec.output[name].dvid or 1}
            yield row if block.lloq is None else {**row, "LLOQ": block.lloq}


def _factor(gsd: float, rng: np.random.Generator) -> float:
    return float(gsd ** rng.standard_normal())
