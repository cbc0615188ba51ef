"""`imak explore RUN`: a run in the browser, on this machine alone."""

import os
from pathlib import Path
from typing import Annotated

import typer


def explore(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="a run folder")],
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="of 127.0.0.1; 0: a free one")
    ] = 0,
) -> None:
    """Show a run with its answers in a browser; needs the extra `explore`."""
    from imak_pkpd.explore.server import serve

    serve(run, port, _say)
    os._exit(0)  # a page's cells run in a thread that marimo leaves waiting for ever


def _say(address: str) -> None:
    print(f"{address}\nOpen it in a browser; Ctrl-C ends it.", flush=True)
