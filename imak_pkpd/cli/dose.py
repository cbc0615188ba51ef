"""`imak dose RUN`: the table of designs, the recommended one, and how sure it is."""

from pathlib import Path
from typing import Annotated

import typer


def dose(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="a finished run folder")],
    against: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN]...", help="the same choice under other models"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for a program")] = False,
) -> None:
    """Choose the dose of [decision] in the run's fit file; written to RUN/dose."""
    from imak_pkpd.cli.decision import show_decision
    from imak_pkpd.cli.jax_settings import prepare_jax

    prepare_jax()
    show_decision(run, tuple(against or ()), as_json)
