"""`imak resume`: finishes a run that was interrupted, with the same draws."""

from pathlib import Path
from typing import Annotated

import typer

from imak_pkpd.cli.failure import reported, resumable


def resume(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="a run folder")],
    force: Annotated[
        bool, typer.Option("--force", help="accept another machine or version")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for a program")] = False,
) -> None:
    """Finish an interrupted run, with the same draws."""
    from imak_pkpd.cli.bar import progress_bar
    from imak_pkpd.cli.finish import finish
    from imak_pkpd.cli.jax_settings import prepare_jax
    from imak_pkpd.cli.screen import console
    from imak_pkpd.fit.fit import begin_again, run as go_on

    prepare_jax()
    with resumable():
        problem = begin_again(run)
        with reported(run), progress_bar(console(stderr=as_json)) as progress:
            go_on(problem, run, progress, force)
    finish(run, as_json)
