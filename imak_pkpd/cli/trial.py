"""`imak trial RUN`: a simulated trial, how often it succeeds, and how sure that is."""

from pathlib import Path
from typing import Annotated

import typer

from imak_pkpd.cli.failure import DIAGNOSTIC


def trial(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="a finished run folder")],
    as_json: Annotated[bool, typer.Option("--json", help="for a program")] = False,
) -> None:
    """Simulate the trial of [trial] in the run's fit file; written to RUN/trial."""
    from imak_pkpd.cli.jax_settings import prepare_jax
    from imak_pkpd.cli.trial_screen import show_trial

    prepare_jax()
    if not show_trial(run, as_json):
        raise typer.Exit(DIAGNOSTIC)
