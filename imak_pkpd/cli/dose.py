"""`imak dose RUN`: the table of designs, the recommended one, and how sure it is.

With `--patient FILE` the question is whether, when and how much to infuse again.
"""

from pathlib import Path
from typing import Annotated

import typer


def dose(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="a finished run folder")],
    against: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN]...", help="the same choice under other models"),
    ] = None,
    patient: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="for these patients: another dose, or none?"),
    ] = None,
    at: Annotated[
        list[float] | None,
        typer.Option(metavar="TIME", help="when it could be given, as in FILE; repeat"),
    ] = None,
    horizon: Annotated[
        float | None,
        typer.Option(min=0, help="with --patient: time after the last of these"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for a program")] = False,
) -> None:
    """Choose the dose of [decision] in the run's fit file; written to RUN/dose."""
    from imak_pkpd.cli.decision import show_decision
    from imak_pkpd.cli.jax_settings import prepare_jax
    from imak_pkpd.cli.next_dose import show_next

    _refuse(against, patient, at, horizon)
    prepare_jax()
    if patient is None:
        show_decision(run, tuple(against or ()), as_json)
    else:
        show_next(run, patient, tuple(at or ()), horizon, as_json)


def _refuse(
    against: list[Path] | None,
    patient: Path | None,
    at: list[float] | None,
    horizon: float | None,
) -> None:
    """Words that do not go together."""
    if patient is None and (at or horizon is not None):
        raise ValueError("got --at or --horizon without --patient: give the records")
    if patient is not None and not at:
        raise ValueError("got --patient without --at: say when a dose could be given")
    if patient is not None and against:
        raise ValueError("got --patient and a second RUN: ask each run by itself")
