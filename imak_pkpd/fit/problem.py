"""`read_problem`: a fit file joined with its model and its data, before any draw.

The fit file and the model must agree, the data must pass their rules; what does not is
one sentence with file and line.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from imak_pkpd.data import (
    DataBlock,
    Dataset,
    Expectations,
    ExpectedCount,
    ExpectedOutput,
    read_dataset,
    refuse_errors,
)
from imak_pkpd.data.schedule import Schedule, build_schedule
from imak_pkpd.fit.agreement import check_fit, check_levels, missing_files
from imak_pkpd.fit.grammar import FitError
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.model import AbstractStatic, AnyModel
from imak_pkpd.model.load import load_model
from imak_pkpd.observe import OutputBlock
from imak_pkpd.population.prior import PriorBlock
from imak_pkpd.solve.mesh import declared_dosing


@dataclass(frozen=True)
class Problem:
    """What is fitted: the fit file, the model's class, the data as read and padded."""

    spec: FitSpec
    model: type[AnyModel]
    dataset: Dataset
    schedule: Schedule


def read_problem(spec: FitSpec) -> Problem:
    """The problem of a fit file; a `ValueError` for the first thing that is wrong."""
    model = read_model(spec)
    dataset = refuse_errors(read_data(spec, model))
    refuse(check_levels(spec, dataset))
    block = data_block(spec)
    doses = tuple(model.doses)
    schedule = build_schedule(dataset, block.inputs, block.covariates, doses)
    return Problem(spec, model, dataset, schedule)


def read_model(spec: FitSpec) -> type[AnyModel]:
    """The class in the model file (which is executed), in agreement with the fit."""
    if not spec.cohort:
        data_block(spec)
    refuse(missing_files(spec))
    model = load_model(spec.model)
    refuse(check_fit(spec, model))
    return model


def read_data(spec: FitSpec, model: type[AnyModel]) -> Dataset:
    """The data with the findings of all rules; bad content is no exception here."""
    expected = expectations(spec, model)
    return read_dataset(data_block(spec), spec.folder, spec.extra_columns, expected)


def data_block(spec: FitSpec) -> DataBlock:
    """The `[data]` block, which a fit to patients must have."""
    if spec.data is None:
        text = "there is no [data] block: add one that names the patient file"
        raise FitError([spec.source.sentence((), text)])
    return spec.data


def expectations(spec: FitSpec, model: type[AnyModel]) -> Expectations:
    """What the fit file and the model expect of the data."""
    dosing = {} if issubclass(model, AbstractStatic) else declared_dosing(model)
    used = set(covariate_forms(spec))
    return Expectations(
        outputs={
            name: ExpectedOutput(
                block.dvid,
                block.error == "lognormal",
                block.lloq,
                expected_count(block),
                block.unit,
                block.event if block.timed else None,
            )
            for name, block in spec.output.items()
        },
        modelled_rate=frozenset(n for n, d in dosing.items() if d.rate is not None),
        modelled_duration=frozenset(
            n for n, d in dosing.items() if d.duration is not None
        ),
        covariates=frozenset(column for column, _ in used),
        log_covariates=frozenset(c for c, form in used if form == "power"),
        number_covariates=frozenset(c for c, form in used if form != "categorical"),
    )


def expected_count(block: OutputBlock) -> ExpectedCount | None:
    """What the DV of a count or a grade may be; None of a continuous output."""
    match block.error:
        case "binomial" | "beta_binomial":
            return ExpectedCount("trials", _number_or_column(block.trials))
        case "poisson":
            return ExpectedCount("exposure", _number_or_column(block.exposure))
        case "bernoulli":
            return ExpectedCount("answer", 1.0)
        case "ordinal":
            return ExpectedCount("grade", float(len(block.at_least)))
        case _:
            return None


def _number_or_column(block: PriorBlock | None) -> float | str:
    found = None if block is None else block.column or block.fixed
    assert found is not None  # by the block's own rules
    return found


def covariate_forms(spec: FitSpec) -> Iterator[tuple[str, str]]:
    """(column, form) of every covariate effect."""
    for effects in spec.covariate.values():
        for key, effect in effects.items():
            yield effect.column or key, effect.form


def refuse(sentences: list[str]) -> None:
    """Raises what is wrong, if anything is."""
    if sentences:
        raise FitError(sentences)
