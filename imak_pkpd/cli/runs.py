"""`imak runs`: the runs under a folder, one line each."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from imak_pkpd.fit.runs_index import RunRow


def runs(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="where the runs are")
    ] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="for a program")] = False,
) -> None:
    """List runs, and what has changed since."""
    from imak_pkpd.fit.runs_index import list_runs

    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: name the one that holds the runs")
    rows = list_runs(folder)
    if as_json:
        print(json.dumps([row._asdict() for row in rows], indent=1))
    else:
        show(rows)


def show(rows: "list[RunRow]") -> None:
    """The runs as a table on the screen."""
    from imak_pkpd.cli.screen import console, table

    headings = ("run", "status", "based on", "model", "R-hat", "ESS", "divergences",
                "tags", "changed since")  # fmt: skip
    lines = [
        (
            row.folder, verdict(row), row.parent or "", row.model,
            number(row.rhat_max, ".3f"), number(row.ess_min, ".0f"),
            number(row.divergences, "d"), row.tags, row.stale,
        )
        for row in rows
    ]  # fmt: skip
    console().print(table(headings, lines))


def verdict(row: "RunRow") -> str:
    """The status; of a finished run whether its diagnostics passed."""
    judged = {True: "good", False: "a diagnostic failed", None: row.status}
    return judged[row.passed] if row.status == "finished" else row.status


def number(value: float | None, pattern: str) -> str:
    return "–" if value is None else format(value, pattern)
