"""`imak fit`: samples the posterior of a fit file into a new run folder."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from imak_pkpd.cli.failure import reported, resumable

RUNS = Path("runs")


def fit(
    path: Annotated[Path, typer.Argument(metavar="FIT", exists=True, dir_okay=False)],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="the run folder; default: runs/…")
    ] = None,
    chains: Annotated[int | None, typer.Option(min=1)] = None,
    warmup: Annotated[int | None, typer.Option(min=20)] = None,
    draws: Annotated[int | None, typer.Option(min=4)] = None,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for a program")] = False,
) -> None:
    """Sample the posterior of FIT into a new run folder."""
    from imak_pkpd.cli.bar import progress_bar
    from imak_pkpd.cli.jax_settings import prepare_jax
    from imak_pkpd.cli.screen import console
    from imak_pkpd.fit.evidence_fit import begin_evidence, run_evidence
    from imak_pkpd.fit.fit import begin, run
    from imak_pkpd.fit.sampler import plan_of
    from imak_pkpd.fit.spec import read_fit

    prepare_jax()
    given = {"chains": chains, "warmup": warmup, "draws": draws, "seed": seed}
    overrides = {name: value for name, value in given.items() if value is not None}
    command = ("imak", *sys.argv[1:])
    spec = read_fit(path)
    for words in spec.double_use:
        console(stderr=as_json).print(f"warning: {words}", soft_wrap=True)
    if plan_of(spec).sampler != "nuts":
        spec, model, folder = begin_evidence(spec, RUNS, out, overrides, command)
        with reported(folder), progress_bar(console(stderr=as_json)) as progress:
            run_evidence(spec, model, folder, progress)
        _finish(folder, as_json)
        return
    with resumable():
        problem, folder = begin(spec, RUNS, out, overrides, command)
        with reported(folder), progress_bar(console(stderr=as_json)) as progress:
            run(problem, folder, progress)
    _finish(folder, as_json)


def _finish(folder: Path, as_json: bool) -> None:
    # Pictures and tables are imported after the last draw: the first need not wait.
    from imak_pkpd.cli.finish import finish

    finish(folder, as_json)
