"""`imak simulate`: a patient file of simulated patients, from true values."""

from pathlib import Path
from typing import Annotated

import typer


def simulate(
    path: Annotated[Path, typer.Argument(metavar="FIT", exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Option(metavar="FILE", help="the CSV file to write")],
    cohort: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="default: the fit's data file with .toml"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    subjects: Annotated[int | None, typer.Option(min=1)] = None,
) -> None:
    """Simulate patients: the cohort file has design and true values, FIT the rest."""
    from imak_pkpd.cli.jax_settings import prepare_jax
    from imak_pkpd.fit.problem import data_block
    from imak_pkpd.fit.spec import read_fit
    from imak_pkpd.fit.synthesis import simulate_cohort

    prepare_jax()
    if out.exists():
        raise ValueError(f"{out} exists: remove it, or write to another file")
    spec = read_fit(path)
    beside = (spec.folder / data_block(spec).file).with_suffix(".toml")
    text = simulate_cohort(spec, cohort or beside, seed, subjects)
    out.write_text(text)
    print(f"{out}: {text.count(chr(10)) - 1} rows of synthetic patients, seed {seed}")
