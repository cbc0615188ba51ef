"""`imak check`: every finding in a patient file, or everything short of sampling."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imak_pkpd.cli.failure import BAD_INPUT, DIAGNOSTIC

if TYPE_CHECKING:
    from imak_pkpd.data import Dataset
    from imak_pkpd.fit.rehearsal import Rehearsal
    from imak_pkpd.fit.sampler import Plan


def check(
    path: Annotated[
        Path, typer.Argument(metavar="DATA|FIT", exists=True, dir_okay=False)
    ],
    csv: Annotated[Path | None, typer.Option(help="write all findings there")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for a program")] = False,
) -> None:
    """Check a patient file, or a fit with its data."""
    from imak_pkpd.data import check_file, errors, write_findings

    if path.suffix == ".toml" and (spoken_of := check_cohorts(path)):
        print(json.dumps(spoken_of, indent=1) if as_json else virtual_text(spoken_of))
        return
    if path.suffix == ".toml":
        dataset, rehearsal = check_fit_file(path)
    else:
        dataset, rehearsal = check_file(path), None
    if csv:
        write_findings(dataset.findings, csv)
    print(document(dataset, rehearsal) if as_json else text(dataset, rehearsal))
    if errors(dataset.findings):
        raise typer.Exit(BAD_INPUT)
    if rehearsal and rehearsal.complaint:
        raise typer.Exit(DIAGNOSTIC)


def check_cohorts(path: Path) -> dict[str, object]:
    """What a fit without patients has; nothing for a fit with patients."""
    from imak_pkpd.cli.jax_settings import prepare_jax
    from imak_pkpd.fit.problem import read_model
    from imak_pkpd.fit.sampler import plan_of
    from imak_pkpd.fit.spec import read_fit

    prepare_jax()
    spec = read_fit(path)
    if spec.data is not None or not spec.cohort:
        return {}
    model = read_model(spec)
    return {
        "fit": str(path),
        "model": model.__name__,
        "cohorts": {name: block.patients for name, block in spec.cohort.items()},
        "facts": {name: fact.use for name, fact in spec.evidence.items()},
        "estimands": list(spec.estimand),
        "plan": plan_of(spec)._asdict() if spec.evidence else None,
        "warnings": list(spec.double_use),
    }


def virtual_text(said: Mapping[str, Any]) -> str:
    """The same in words, and a line for every warning."""
    facts = said["facts"]
    used = f"{sum(facts.values())} of {len(facts)} facts used" if facts else "no facts"
    cohorts = ", ".join(f"{n} ({patients})" for n, patients in said["cohorts"].items())
    count = (
        f"{said['fit']}: {said['model']}, virtual patients of {cohorts}, {used}, "
        f"{len(said['estimands'])} estimands"
    )
    plan = said["plan"]
    sampler = f"sampler: {plan['sampler']} ({plan['why']})" if plan else ""
    return joined(count, sampler, *(f"warning: {each}" for each in said["warnings"]))


def check_fit_file(path: Path) -> "tuple[Dataset, Rehearsal | None]":
    """The data of a fit with their findings; without errors, the rehearsal too."""
    from imak_pkpd.cli.jax_settings import prepare_jax
    from imak_pkpd.data import errors
    from imak_pkpd.fit.problem import read_data, read_model, read_problem
    from imak_pkpd.fit.rehearsal import rehearse
    from imak_pkpd.fit.spec import read_fit

    prepare_jax()
    spec = read_fit(path)
    dataset = read_data(spec, read_model(spec))
    if errors(dataset.findings):
        return dataset, None
    return dataset, rehearse(read_problem(spec))


def text(dataset: "Dataset", rehearsal: "Rehearsal | None") -> str:
    """The first findings, then one line that counts, then what the rehearsal gave."""
    from imak_pkpd.data import errors, show_findings

    wrong = len(errors(dataset.findings))
    count = (
        f"{dataset.path}: {len(set(dataset.subject))} subjects, "
        f"{len(dataset.subject)} rows, {wrong} errors, "
        f"{len(dataset.findings) - wrong} warnings"
    )
    return joined(
        show_findings(dataset.findings, str(dataset.path)), count, spoken(rehearsal)
    )


def spoken(rehearsal: "Rehearsal | None") -> str:
    """The rehearsal in one sentence; nothing where there was none."""
    if rehearsal is None:
        return ""
    ready = (
        f"ready to sample: {rehearsal.dimensions} dimensions, log density "
        f"{rehearsal.log_density:.2f} at the prior medians"
    )
    return joined(
        rehearsal.complaint or ready,
        planned(rehearsal.plan),
        *(f"warning: {words}" for words in rehearsal.warnings),
    )


def planned(plan: "Plan") -> str:
    """Which sampler, why, and what to look out for."""
    caution = f"note: {plan.caution}" if plan.caution else ""
    return joined(f"sampler: {plan.sampler} ({plan.why})", caution)


def joined(*parts: str) -> str:
    return "\n".join(filter(None, parts))


def document(dataset: "Dataset", rehearsal: "Rehearsal | None") -> str:
    """The same as JSON, with every finding."""
    from imak_pkpd.data import errors

    findings: Sequence[dict] = [asdict(finding) for finding in dataset.findings]
    return json.dumps(
        {
            "file": str(dataset.path),
            "sha256": dataset.sha256,
            "subjects": len(set(dataset.subject)),
            "rows": len(dataset.subject),
            "passed": not errors(dataset.findings)
            and not (rehearsal and rehearsal.complaint),
            "findings": findings,
            "rehearsal": rehearsal and said(rehearsal),
        },
        indent=1,
    )


def said(rehearsal: "Rehearsal") -> dict[str, object]:
    """The rehearsal, names and all."""
    return {**rehearsal._asdict(), "plan": rehearsal.plan._asdict()}
