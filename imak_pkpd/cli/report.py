"""`imak report`: the page of a run, written again."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="a run folder")],
    anonymise: Annotated[
        bool, typer.Option("--anonymise", help="number the patients")
    ] = False,
) -> None:
    """Write report.html and its tables into the run folder."""
    from imak_pkpd.report.page import write_report

    print(write_report(run, anonymise=anonymise))
