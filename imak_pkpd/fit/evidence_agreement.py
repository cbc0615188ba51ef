"""Where cohorts, facts and estimands of a fit file must agree with each other."""

from collections.abc import Iterator

from imak_pkpd.estimand import CrossingEstimand
from imak_pkpd.fit.lines import Key
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.used_columns import used_columns
from imak_pkpd.model import AbstractModel, AnyModel
from imak_pkpd.population.covariate import CategoricalBlock
from imak_pkpd.population.refusal import hint

Finding = tuple[Key, str]


def evidence_findings(spec: FitSpec, model: type[AnyModel]) -> Iterator[Finding]:
    """Keys that are wrong, and why; nothing for a fit without cohorts."""
    if spec.cohort and not issubclass(model, AbstractModel):
        yield ("cohort",), f"{model.__name__} has no states: a cohort is solved in time"
        return
    yield from _cohorts(spec, model)
    yield from _categories(spec)
    yield from _facts(spec)
    yield from _studies(spec)


def _cohorts(spec: FitSpec, model: type[AnyModel]) -> Iterator[Finding]:
    for name, block in spec.cohort.items():
        for dose in block.dose:
            if dose not in model.doses:
                near = hint(dose, model.doses)
                yield (
                    ("cohort", name, "dose", dose),
                    f"the model has no such dose{near}",
                )
        for path, _, column in used_columns(spec):
            if column not in block.columns:
                near = hint(column, block.columns)
                yield path, f"cohort {name} has no column '{column}'{near}"
        for estimand, line in spec.estimand.items():
            if line.dose is not None and line.dose not in block.dose:
                near = hint(line.dose, block.dose)
                text = f"cohort {name} gets no dose '{line.dose}'{near}"
                yield ("estimand", estimand, "dose"), text
            elif line.reach is not None:
                left = block.horizon - block.last_dose(line.dose)
                if line.reach > left:
                    yield (
                        ("estimand", estimand),
                        f"it looks {line.reach:g} {model.time} ahead, but cohort "
                        f"{name} is followed for {left:g} after its last dose: raise "
                        f"[cohort.{name}] horizon, or look less far",
                    )


def _categories(spec: FitSpec) -> Iterator[Finding]:
    """A virtual patient is in a group (1) or not (0): it has no category in words."""
    if not spec.evidence:
        return
    for parameter, effects in spec.covariate.items():
        for key, block in effects.items():
            if isinstance(block, CategoricalBlock):
                known = (block.reference, *block.effect)
                words = [f"'{level}'" for level in known if level not in ("0", "1")]
                if words:
                    yield (
                        ("covariate", parameter, key),
                        f"virtual patients have categories 0 and 1, not "
                        f"{', '.join(words)}: write the column of the data so too",
                    )


def _facts(spec: FitSpec) -> Iterator[Finding]:
    for name, fact in spec.evidence.items():
        path = ("evidence", name)
        if fact.cohort not in spec.cohort:
            near = hint(fact.cohort, spec.cohort)
            yield (*path, "cohort"), f"there is no [cohort.{fact.cohort}]{near}"
        for key, read in (
            ("of", fact.of),
            *(("alternatives", a) for a in fact.alternatives),
        ):
            if read not in spec.estimand:
                near = hint(read, spec.estimand)
                yield (*path, key), f"there is no estimand '{read}'{near}"
            elif isinstance(spec.estimand[read], CrossingEstimand):
                yield (
                    (*path, key),
                    f"'{read}' is a crossing, which may have no time: a fact needs a "
                    "mean over patients (a probability, a value, an area)",
                )


def _studies(spec: FitSpec) -> Iterator[Finding]:
    """Studies and priors that are named and are not there."""
    for name, fact in spec.evidence.items():
        if fact.study is not None and fact.study not in spec.study:
            near = hint(fact.study, spec.study)
            text = f"there is no [study.{fact.study}]{near}"
            yield ("evidence", name, "study"), text
    for name, study in spec.study.items():
        for key, said, known in (
            ("overlaps", study.overlaps, [*spec.study]),
            ("informed", study.informed, _with_priors(spec)),
        ):
            for other in said:
                if other not in known:
                    what = "study" if key == "overlaps" else "parameter or amount"
                    text = f"there is no {what} '{other}'{hint(other, known)}"
                    yield ("study", name, key), text


def _with_priors(spec: FitSpec) -> list[str]:
    """Parameters, and amounts as COHORT_DOSE_amount."""
    amounts = [
        f"{name}_{dose}_amount"
        for name, block in spec.cohort.items()
        for dose in block.dose
    ]
    return [*spec.theta, *amounts]
