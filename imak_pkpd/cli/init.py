"""`imak init`: the shipped models and fits, copied out to be changed."""

from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a new folder")],
) -> None:
    """Copy the shipped models, fits and data into DIR."""
    import shutil

    from imak_pkpd.project import shipped

    taken = [name for name in ("models", "fits") if (folder / name).exists()]
    if taken:
        raise ValueError(
            f"{folder / taken[0]} exists: name another folder, nothing is overwritten"
        )
    for name in ("models", "fits"):
        shutil.copytree(
            shipped() / name,
            folder / name,
            ignore=shutil.ignore_patterns("__pycache__", ".*", "runs"),
        )
    typer.echo(f"wrote {folder / 'models'} and {folder / 'fits'}")
    first = min((folder / "fits").glob("*.toml"), default=folder / "fits")
    typer.echo(f"next: imak fit {first}")
