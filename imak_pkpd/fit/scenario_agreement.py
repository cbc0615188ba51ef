"""Where scenarios and strata of a fit file must agree with its model and cohorts."""

from collections.abc import Iterable, Iterator, Mapping

from imak_pkpd.evidence import CohortBlock, ScenarioBlock
from imak_pkpd.fit.lines import Key
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.model import ParameterInfo
from imak_pkpd.population.refusal import hint

Finding = tuple[Key, str]
Known = Mapping[str, ParameterInfo]


def scenario_findings(spec: FitSpec, known: Known) -> Iterator[Finding]:
    """Keys that are wrong, and why."""
    for name, cohort in spec.cohort.items():
        path: Key = ("cohort", name, "strata")
        yield from _unknown(path, cohort.strata, known, "the model has no parameter")
    for name, block in spec.scenario.items():
        yield from _parameters(("scenario", name), block, known)
        yield from _on_cohort(("scenario", name), block, spec.cohort)


def _unknown(
    path: Key, got: Iterable[str], known: Iterable[str], text: str
) -> Iterator[Finding]:
    listed = list(known)
    for name in got:
        if name not in listed:
            yield (*path, name), f"{text} '{name}'{hint(name, listed)}"


def _parameters(path: Key, block: ScenarioBlock, known: Known) -> Iterator[Finding]:
    for key in ("set", "times", "add"):
        for name, value in getattr(block, key).items():
            if name not in known:
                near = hint(name, known)
                yield (*path, key, name), f"the model has no parameter '{name}'{near}"
            elif problem := _outside(key, value, known[name].scale):
                yield (*path, key, name), problem


def _outside(key: str, value: float, scale: str) -> str | None:
    """Why a change does not suit the scale of its parameter; a zero switches off."""
    if key == "add" and scale != "identity":
        return f"a parameter on the {scale} scale is not added to: write times"
    if key == "times" and scale == "identity":
        return "a parameter on the identity scale is not multiplied: write add"
    if key == "times" and scale == "logit" and value > 1:
        return f"got {value}, which may lead out of 0 to 1: write set"
    if key == "set" and scale == "log" and value < 0:
        return f"got {value}: write zero or a positive number"
    if key == "set" and scale == "logit" and not 0 <= value <= 1:
        return f"got {value}: write a number from 0 to 1"
    return None


def _on_cohort(
    path: Key, block: ScenarioBlock, cohorts: Mapping[str, CohortBlock]
) -> Iterator[Finding]:
    if block.cohort is None and len(cohorts) != 1:
        yield path, f"say on which cohort: add cohort = one of {', '.join(cohorts)}"
        return
    name = block.cohort or next(iter(cohorts))
    if name not in cohorts:
        near = hint(name, cohorts)
        yield (*path, "cohort"), f"there is no [cohort.{name}]{near}"
        return
    there = cohorts[name]
    for key, got, known in (
        ("amounts", block.amounts, there.dose),
        ("share", block.share, there.group),
    ):
        word = "dose" if key == "amounts" else "group"
        text = f"the cohort has no {word}"
        yield from _unknown((*path, key), got, known, text)
