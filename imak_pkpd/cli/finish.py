"""What follows the last draw: diagnose, record, report, and show it on the screen."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import typer
import xarray as xr
from rich.table import Table

from imak_pkpd.check.convergence import Diagnostics
from imak_pkpd.check.parameter_table import INTERVAL, parameter_table
from imak_pkpd.check.reweighting import double_use_of, facts_of
from imak_pkpd.check.virtual_patients import diagnose_chains
from imak_pkpd.check.weighted_table import weighted_table
from imak_pkpd.check.weighting import diagnose_weighting, is_weighted
from imak_pkpd.cli.failure import DIAGNOSTIC
from imak_pkpd.cli.screen import console, table
from imak_pkpd.cli.weighted import estimand_screen, weighted_result
from imak_pkpd.fit.record import Result
from imak_pkpd.fit.run import POSTERIOR, read_record, update_record
from imak_pkpd.fit.tree import read_tree
from imak_pkpd.model import parameters
from imak_pkpd.model.load import load_model
from imak_pkpd.report.page import write_report

FIGURES = {
    "rhat_max": "R-hat",
    "ess_bulk_min": "bulk ESS",
    "ess_tail_min": "tail ESS",
    "ebfmi_min": "E-BFMI",
    "solver_error": "solver accuracy",
}
COUNTS = {
    "divergences": "divergences",
    "treedepth_hits": "tree depth",
    "failed_solves": "failed solves",
}


def finish(folder: Path, as_json: bool) -> None:
    """Judges the draws of a run, writes its record and report, prints the answer.

    Leaves with exit code 3 where a diagnostic failed.
    """
    tree = read_tree(folder / POSTERIOR)
    weighted, units = is_weighted(tree), units_of(folder)
    diagnostics, result = judged_weights(tree) if weighted else judged_chains(tree)
    update_record(folder, result=result)
    report = write_report(folder)
    frame = weighted_table(tree, units) if weighted else parameter_table(tree, units)
    if as_json:
        print(document(folder, report, frame, result, double_use_of(tree)))
    else:
        seen = [] if weighted else [parameter_screen(frame)]
        seen += [estimand_screen(tree)] if facts_of(tree) else []
        show(folder, report, seen, diagnostics)
    if not diagnostics.passed:
        raise typer.Exit(DIAGNOSTIC)


def judged_chains(tree: xr.DataTree) -> tuple[Diagnostics, Result]:
    diagnostics = diagnose_chains(tree, solver_error(tree))
    return diagnostics, result_of(diagnostics, tree)


def judged_weights(tree: xr.DataTree) -> tuple[Diagnostics, Result]:
    diagnostics = diagnose_weighting(tree)
    return diagnostics, weighted_result(diagnostics, tree)


def certificate_of(tree: xr.DataTree) -> Mapping[str, Any]:
    """The solver's certificate; empty for a closed form or a static model."""
    return json.loads(tree.attrs.get("certificate", "null")) or {}


def solver_error(tree: xr.DataTree) -> float | None:
    return certificate_of(tree).get("p99")


def result_of(diagnostics: Diagnostics, tree: xr.DataTree) -> Result:
    """The figures for run.json; a check that was not made has none."""
    figures = {name: diagnostics.value(check) for name, check in FIGURES.items()}
    counted = {name: diagnostics.value(check) for name, check in COUNTS.items()}
    counts = {name: None if v is None else int(v) for name, v in counted.items()}
    effort = json.loads(tree.attrs.get("effort", "{}"))
    return Result(
        passed=diagnostics.passed,
        verdict=diagnostics.verdict,
        solver_khat=certificate_of(tree).get("k_hat"),
        **{**figures, **counts, **effort},
    )


def units_of(folder: Path) -> dict[str, str]:
    """The units of the model's parameters and outputs."""
    model = load_model(Path(read_record(folder).model.path))
    units = {name: info.unit for name, info in parameters(model).items()}
    return units | dict(model.outputs)


def show(
    folder: Path, report: Path, seen: Sequence[Table], diagnostics: Diagnostics
) -> None:
    """The tables of answers, the verdict and where things are."""
    screen = console()
    for each in seen:
        screen.print(each)
    screen.print(diagnostics.verdict, soft_wrap=True)
    screen.print(f"run:    {folder}", soft_wrap=True)
    screen.print(f"report: {report}", soft_wrap=True)


def parameter_screen(frame: pd.DataFrame) -> Table:
    """Median, interval, R-hat, the smaller of both ESS, and shrinkage."""
    headings = ("parameter", "unit", "median", INTERVAL, "R-hat", "ESS", "shrinkage")
    return table(headings, (cells(row) for row in frame.to_dict("records")))


def cells(row: Mapping[Any, Any]) -> tuple[str, ...]:
    shrinkage = row["shrinkage"]
    return (
        row["name"],
        row["unit"],
        f"{row['median']:.4g}",
        f"{row['lower']:.4g} – {row['upper']:.4g}",
        f"{row['rhat']:.3f}",
        f"{min(row['ess_bulk'], row['ess_tail']):.0f}",
        "" if pd.isna(shrinkage) else f"{shrinkage:.0%}",
    )


def document(
    folder: Path,
    report: Path,
    frame: pd.DataFrame,
    result: Result,
    warnings: list[str],
) -> str:
    """The same as JSON; a figure that does not exist is null."""
    rows = json.loads(frame.to_json(orient="records"))
    answer = {
        "run": str(folder),
        "report": str(report),
        "parameters": rows,
        "result": result.model_dump(mode="json"),
        "warnings": warnings,
    }
    return json.dumps(answer, indent=1)
