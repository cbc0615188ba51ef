"""`imak sample-days RUN`: which sample, on which day, is worth drawing."""

from pathlib import Path
from typing import Annotated

import typer

from imak_pkpd.cli.failure import DIAGNOSTIC


def sample_days(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="a finished run folder")],
    days: Annotated[
        str | None,
        typer.Option(
            metavar="DAY,DAY...", help="in the model's time; default: 0 to 7 d"
        ),
    ] = None,
    output: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="an assay that may be drawn; default: all"),
    ] = None,
    patient: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="one patient: doses, covariates, samples"),
    ] = None,
    assays: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="[output] blocks in place of the fit's"),
    ] = None,
    patients: Annotated[int, typer.Option(min=200, help="to simulate, about")] = 4000,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="for a program")] = False,
) -> None:
    """Say how much each sample would tell of a new patient, and gain in utility."""
    from imak_pkpd.cli.jax_settings import prepare_jax
    from imak_pkpd.cli.sample_screen import show_sample_days
    from imak_pkpd.decide.sample_days import Question

    prepare_jax()
    names = tuple(dict.fromkeys(output or ()))
    asked = Question(patient, assays, names, read_days(days), patients, seed)
    if not show_sample_days(run, asked, as_json):
        raise typer.Exit(DIAGNOSTIC)


def read_days(text: str | None) -> tuple[float, ...] | None:
    """The numbers of "0,1,2.5", sorted; a `ValueError` for anything else."""
    if text is None:
        return None
    try:
        found = {float(part) for part in text.split(",")}
    except ValueError:
        raise ValueError(
            f"got --days {text}: write numbers with commas between, such as 0,1,2.5"
        ) from None
    return tuple(sorted(found))
