"""Deviations, limitations, provenance: what a reader must know before citing this."""

from collections.abc import Iterator, Mapping
from typing import Any

from imak_pkpd.report.blocks import Block, Part, Prose, Section, Table
from imak_pkpd.report.run import MissingError, Run


def deviations(run: Run) -> Iterator[Block]:
    """Settings that replaced those of the fit file, and choices made at the start."""
    for name, title in (
        ("overrides", "Settings given on the command line instead of the fit file's."),
        ("choices", "Choices made at the start of the run and kept since."),
    ):
        rows = list(_flat(run.fact(name, default={})))
        if rows:
            yield Table(name, title, _rows(run, rows))
        elif name == "overrides":
            yield Prose("No setting of the fit file was overridden.")
    if run.fact("notes"):
        yield Prose(run.labels.text(str(run.fact("notes"))))


def limitations(run: Run) -> Iterator[Block]:
    """What every report of this kind cannot say."""
    yield Prose(
        "Intervals hold given the model: they do not cover a wrong structure. "
        "Predictive checks use the data that the model was fitted to."
    )
    if run.synthetic:
        yield Prose(
            "The data are synthetic: no conclusion about patients.", "attention"
        )


def record(run: Run) -> Iterator[Block]:
    """Where the numbers come from."""
    if not run.record:
        raise MissingError("run.json is missing or broken")
    kept = ("run", "based_on", "tags", "who", "host", "start", "end", "command", "seed")
    rows = [(key, run.fact(key)) for key in kept if run.fact(key) not in (None, "")]
    for name in ("fit", "model", "data"):
        facts = run.fact(name, default={}) or {}
        rows += [
            (f"{name} {key}", facts[key])
            for key in ("path", "sha256", "rows", "subjects")
            if key in facts
        ]
    for name in ("git", "machine"):
        rows += [
            (f"{name} {key}", value) for key, value in _flat(run.fact(name, default={}))
        ]
    yield Table("provenance", "The run's record.", _rows(run, rows))


def _rows(run: Run, facts: list[tuple[str, Any]]) -> list[dict[str, str]]:
    return [{"entry": key, "value": run.labels.text(_word(v))} for key, v in facts]


def _word(value: object) -> str:
    match value:
        case list() | tuple():
            return " ".join(str(item) for item in value)
        case bool():
            return "yes" if value else "no"
    return "–" if value is None else str(value)


def _flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested facts as (path, value) pairs."""
    for key, value in facts.items():
        match value:
            case dict():
                yield from _flat(value, f"{prefix}{key} ")
            case _:
                yield f"{prefix}{key}", value


SECTION = Section(
    "provenance",
    "Deviations, limitations, provenance",
    (
        Part("Deviations", deviations),
        Part("Limitations", limitations),
        Part("Provenance", record),
    ),
)
