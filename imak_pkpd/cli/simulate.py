"""`imak simulate`: patients from true values, or what the priors say of outcomes."""

from pathlib import Path
from typing import Annotated

import typer


def simulate(
    path: Annotated[Path, typer.Argument(metavar="FIT", exists=True, dir_okay=False)],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="the CSV file to write")
    ] = None,
    cohort: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAME",
            help="default: the fit's data file with .toml; with --prior its [cohort]",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    subjects: Annotated[
        int | None,
        typer.Option(min=1, help="with --prior: virtual patients at the medians"),
    ] = None,
    prior: Annotated[
        bool, typer.Option("--prior", help="outcomes under the priors of FIT")
    ] = False,
    draws: Annotated[int, typer.Option(min=2, help="of the priors")] = 192,
    size: Annotated[int, typer.Option(min=1, help="patients of a trial")] = 33,
    as_json: Annotated[bool, typer.Option("--json", help="for a program")] = False,
) -> None:
    """Simulate patients: the cohort file has design and true values, FIT the rest.

    With --prior: tables of every estimand under the priors, on virtual patients.
    """
    from imak_pkpd.cli.jax_settings import prepare_jax

    prepare_jax()
    if prior:
        from imak_pkpd.cli.prior import show_prior

        show_prior(path, out, cohort, subjects, draws, size, seed, as_json)
    elif out is None:
        raise ValueError("add --out FILE: the patient file to write (or --prior)")
    else:
        write_patients(path, out, cohort, seed, subjects)


def write_patients(
    path: Path, out: Path, cohort: str | None, seed: int, subjects: int | None
) -> None:
    """A patient file of simulated patients, from true values."""
    from imak_pkpd.fit.problem import data_block
    from imak_pkpd.fit.spec import read_fit
    from imak_pkpd.fit.synthesis import simulate_cohort

    if out.exists():
        raise ValueError(f"{out} exists: remove it, or write to another file")
    spec = read_fit(path)
    beside = (spec.folder / data_block(spec).file).with_suffix(".toml")
    text = simulate_cohort(spec, Path(cohort) if cohort else beside, seed, subjects)
    out.write_text(text)
    print(f"{out}: {text.count(chr(10)) - 1} rows of synthetic patients, seed {seed}")
