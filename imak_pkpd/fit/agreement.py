"""Where a fit file and its model must agree, checked before anything is computed.

`check_fit`     the fit file against the model class and against itself.
`check_levels`  its categories against those of the data.
`missing_files` what it names and does not exist.
All return sentences with file and line; none raises.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from imak_pkpd.data import Dataset
from imak_pkpd.fit.decision_agreement import decision_findings
from imak_pkpd.fit.evidence_agreement import evidence_findings
from imak_pkpd.fit.lines import Key
from imak_pkpd.fit.sampler import sampler_findings
from imak_pkpd.fit.scenario_agreement import scenario_findings
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.trial_agreement import trial_findings
from imak_pkpd.fit.used_columns import used_columns
from imak_pkpd.model import (
    AbstractLinear,
    AbstractStatic,
    AnyModel,
    ParameterInfo,
    parameters,
)
from imak_pkpd.population.covariate import CategoricalBlock
from imak_pkpd.population.refusal import hint

Finding = tuple[Key, str]
"""The key that is wrong, and why."""


def check_fit(spec: FitSpec, model: type[AnyModel]) -> list[str]:
    """One sentence per disagreement; empty when all is well."""
    known = parameters(model)
    found = [
        *_theta(spec, known),
        *_omega(spec, known),
        *_covariates(spec, known),
        *_columns(spec),
        *_outputs(spec, model),
        *_hazards(spec, model),
        *_estimands(spec, model),
        *_dvids(spec),
        *_data(spec, model),
        *evidence_findings(spec, model),
        *scenario_findings(spec, known),
        *decision_findings(spec, model),
        *trial_findings(spec),
        *sampler_findings(spec),
    ]
    return [spec.source.sentence(path, text) for path, text in found]


def missing_files(spec: FitSpec) -> list[str]:
    """One sentence per file that the fit file names and that does not exist."""
    named: list[tuple[Key, Path]] = [(("model",), spec.model)]
    if spec.data is not None:
        named.append((("data", "file"), spec.folder / spec.data.file))
    return [
        spec.source.sentence(path, f"there is no file {file}")
        for path, file in named
        if not file.is_file()
    ]


def check_levels(spec: FitSpec, dataset: Dataset) -> list[str]:
    """One sentence per categorical effect that leaves a category of the data out."""
    found = []
    for parameter, effects in spec.covariate.items():
        for key, block in effects.items():
            if isinstance(block, CategoricalBlock):
                present = _categories(dataset, block.column or key)
                strangers = ", ".join(f"'{each}'" for each in block.strangers(present))
                if strangers:
                    path = ("covariate", parameter, key)
                    text = f"the data have {strangers} too: add an effect for each"
                    found.append(spec.source.sentence(path, text))
    return found


def _categories(dataset: Dataset, column: str) -> tuple[str, ...]:
    """The categories of a column as a fit file writes them: "F", or "1"."""
    if column in dataset.levels:
        return dataset.levels[column]
    return tuple(f"{value:g}" for value in np.unique(dataset.covariates[column]))


def _theta(spec: FitSpec, known: Mapping[str, ParameterInfo]) -> Iterator[Finding]:
    for name in known:
        if name not in spec.theta:
            yield ("theta",), f"the model's parameter '{name}' is missing: add a line"
    for name, block in spec.theta.items():
        if name not in known:
            yield _unknown_parameter(("theta", name), name, known)
            continue
        moved = name in spec.omega.random or bool(spec.covariate.get(name))
        problem = block.problem(known[name].scale, moved)
        if problem is not None:
            yield ("theta", name), problem


def _unknown_parameter(
    path: Key, name: str, known: Mapping[str, ParameterInfo]
) -> Finding:
    return path, f"the model has no parameter '{name}'{hint(name, known)}"


def _omega(spec: FitSpec, known: Mapping[str, ParameterInfo]) -> Iterator[Finding]:
    for name in spec.omega.deviations:
        if name not in known:
            yield _unknown_parameter(("omega", name), name, known)
    for block in spec.omega.covariance:
        for name in block.parameters:
            if name not in known:
                yield _unknown_parameter(("omega", "covariance"), name, known)


def _covariates(spec: FitSpec, known: Mapping[str, ParameterInfo]) -> Iterator[Finding]:
    for name, effects in spec.covariate.items():
        if name not in known:
            yield _unknown_parameter(("covariate", name), name, known)
            continue
        for key, block in effects.items():
            problem = block.problem(known[name].scale)
            if problem is not None:
                yield ("covariate", name, key, "form"), problem


def _columns(spec: FitSpec) -> Iterator[Finding]:
    """Columns that parameters depend on: declared, and carried in a way we can."""
    if spec.data is None:
        return
    rules = spec.data.covariates
    for path, parameter, column in used_columns(spec):
        if column not in rules:
            yield (
                path,
                f"column '{column}' is not declared{hint(column, rules)}: add it to "
                '[data] covariates as "constant", "locf" or "nocb"',
            )
        elif rules[column] == "linear":
            yield (
                path,
                f"column '{column}' is carried as \"linear\", but a parameter keeps "
                'one value between records: write "locf" or "nocb"',
            )
        elif rules[column] != "constant" and _one_per_patient(spec, parameter, path):
            yield (
                path,
                f"column '{column}' may change inside a subject, but '{parameter}' "
                "needs one value per patient (a centred eta, or an omega from a "
                'column): write "constant", or another form',
            )


def _one_per_patient(spec: FitSpec, parameter: str, path: Key) -> bool:
    line = spec.omega.deviations.get(parameter)
    if line is None:
        return False
    return path[0] == "omega" or (line.form or spec.omega.form) == "centred"


def _outputs(spec: FitSpec, model: type[AnyModel]) -> Iterator[Finding]:
    if not spec.output and not spec.cohort:
        yield ("output",), "no [output.NAME] table: add one per measured output"
    for name, block in spec.output.items():
        place = ("output", name, "at_least") if block.at_least else ("output", name)
        for each in block.reads(name):
            if each not in model.outputs:
                near = hint(each, model.outputs)
                yield place, f"the model has no output '{each}'{near}"
            elif block.unit != model.outputs[each]:
                yield (
                    ("output", name, "unit"),
                    f"got '{block.unit}', but the model gives '{model.outputs[each]}': "
                    "convert the data, or the model",
                )


def _hazards(spec: FitSpec, model: type[AnyModel]) -> Iterator[Finding]:
    """A hazard is per unit of TIME, and needs a mesh to be integrated on."""
    for name in spec.hazards:
        wanted = f"1/{model.time}"
        if model.outputs.get(name, wanted) != wanted:
            yield (
                ("output", name, "unit"),
                f"got '{model.outputs[name]}', but the output of an event is its "
                f"hazard, per time: give it in '{wanted}' in the model",
            )
    if spec.hazards and spec.solver.method in ("closed", "adaptive"):
        yield (
            ("solver", "method"),
            f"got '{spec.solver.method}', but the hazard {spec.hazards[0]} is "
            "integrated on the steps of a mesh, which this method does not have: "
            "write 'mesh'",
        )


def _estimands(spec: FitSpec, model: type[AnyModel]) -> Iterator[Finding]:
    for name, block in spec.estimand.items():
        path = ("estimand", name)
        if issubclass(model, AbstractStatic):
            yield (
                path,
                f"{model.__name__} has no states, so there is no curve: remove it",
            )
            continue
        for key, read in block.outputs_read.items():
            if read not in model.outputs:
                near = hint(read, model.outputs)
                yield (
                    (*path, *key.split(".")),
                    f"the model has no output '{read}'{near}",
                )
        for key, read in block.parameters_read.items():
            if read not in parameters(model):
                near = hint(read, parameters(model))
                yield (*path, key), f"the model has no parameter '{read}'{near}"
        if block.dose is not None and block.dose not in model.doses:
            near = hint(block.dose, model.doses)
            yield (*path, "dose"), f"the model has no dose '{block.dose}'{near}"
        elif block.dose is None and len(model.doses) > 1:
            known = ", ".join(model.doses)
            yield path, f"say from which dose it counts: add dose = one of {known}"


def _dvids(spec: FitSpec) -> Iterator[Finding]:
    """Several outputs are told apart by their DVID."""
    count = Counter(block.dvid for block in spec.output.values())
    for name, block in spec.output.items():
        if block.dvid is None and len(spec.output) > 1:
            yield ("output", name), "with several outputs each needs its dvid: add it"
        elif count[block.dvid] > 1:
            yield ("output", name, "dvid"), f"dvid {block.dvid} has two outputs"


def _dose_units(units: Mapping[str, str], model: type[AnyModel]) -> Iterator[Finding]:
    """Doses whose AMT is not in the model's unit."""
    for name, unit in units.items():
        path = ("data", "units", name)
        if name not in model.doses:
            yield path, f"the model has no dose '{name}'{hint(name, model.doses)}"
        elif unit != model.doses[name]:
            yield (
                path,
                f"got '{unit}', but the model's doses of {name} are in "
                f"'{model.doses[name]}': convert AMT and RATE, or the model",
            )


def _data(spec: FitSpec, model: type[AnyModel]) -> Iterator[Finding]:
    if spec.data is None:
        if not spec.cohort:
            yield ("data",), "no [data] table: add one with file and time"
        return
    if (spec.data.time or "") != model.time:
        yield (
            ("data", "time"),
            f"got '{spec.data.time or ''}', but the model's time is '{model.time}': "
            "convert TIME, or the model",
        )
    yield from _dose_units(spec.data.units, model)
    for number, name in spec.data.inputs.items():
        if name not in model.doses:
            yield (
                ("data", "inputs", str(number)),
                f"the model has no dose '{name}'{hint(name, model.doses)}",
            )
    if spec.solver.method == "closed" and not issubclass(model, AbstractLinear):
        yield ("solver", "method"), f"{model.__name__} has no closed form: write 'mesh'"
