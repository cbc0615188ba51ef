"""`imak sample-days RUN`: which sample, on which day, is worth drawing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imak_pkpd.cli.failure import DIAGNOSTIC

if TYPE_CHECKING:
    from rich.table import Table

    from imak_pkpd.decide.finished_run import FinishedRun
    from imak_pkpd.decide.sample_days import SampleDays


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
    from imak_pkpd.cli.bar import progress_bar
    from imak_pkpd.cli.jax_settings import prepare_jax
    from imak_pkpd.cli.screen import console
    from imak_pkpd.decide.finished_run import read_finished
    from imak_pkpd.decide.sample_days import Question, sample_days as answer
    from imak_pkpd.decide.sample_folder import (
        document,
        sample_folder,
        write_sample_days,
    )
    from imak_pkpd.report.sample_picture import sample_picture

    prepare_jax()
    finished = read_finished(run)
    names = tuple(dict.fromkeys(output or ()))
    asked = Question(patient, assays, names, read_days(days), patients, seed)
    folder = sample_folder(finished, asked)
    with progress_bar(console(stderr=True)) as progress:
        made = answer(finished, asked, progress)
    picture = sample_picture(made, finished.synthetic)
    write_sample_days(finished, made, picture, folder)
    if as_json:
        said = {"folder": str(folder), **document(finished, made)}
        print(json.dumps(said, indent=1))
    else:
        show(made, finished, folder)
    if not made.reliable:
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


def show(made: "SampleDays", run: "FinishedRun", folder: Path) -> None:
    """The tables on the screen, the answer in words, and where the files are."""
    from imak_pkpd.cli.screen import console
    from imak_pkpd.decide.notice import NOTICE
    from imak_pkpd.decide.sample_tables import MEANING

    screen = console()
    screen.print(f"{made.who[0].upper()}{made.who[1:]}", soft_wrap=True)
    for each in tables(made):
        screen.print(each)
    screen.print(f"{MEANING} (± Monte Carlo error)", soft_wrap=True)
    for sentence in words(made, run):
        screen.print(sentence, soft_wrap=True)
    screen.print(f"{NOTICE} Every number rests on the model.", soft_wrap=True)
    screen.print(f"Written: {folder}", soft_wrap=True)


def words(made: "SampleDays", run: "FinishedRun") -> Iterator[str]:
    """What was found, on how many patients, and what speaks against it."""
    from imak_pkpd.decide.sample_folder import SYNTHETIC
    from imak_pkpd.decide.sample_tables import sentences

    yield from sentences(made)
    yield f"{made.patients} simulated patients, {made.unsolved} of them unsolved."
    if made.complaint:
        yield f"Do not use these numbers: {made.complaint}."
    if run.complaint:
        yield f"The run itself: {run.complaint}"
    if run.synthetic:
        yield SYNTHETIC


def tables(made: "SampleDays") -> Iterator["Table"]:
    """By quantity and output, a column per day; then the gain in utility."""
    from imak_pkpd.cli.screen import table
    from imak_pkpd.decide.sample_tables import percent, plain, varying

    days = [f"{made.unit} {day:g}" for day in made.assays.days]
    yield table(
        ("reduction of", "by", *days),
        (
            (name, output, *(percent(e.reduction) for e in made.narrowed
                             if (e.quantity, e.output) == (name, output)))
            for name in varying(made)
            for output in made.assays.names
        ),
    )  # fmt: skip
    if made.gained:
        headings = ("gain in utility by", made.unit, "gain", "at most", "open designs")
        yield table(
            headings,
            (
                (e.output, f"{e.day:g}", plain(e.gain), plain(e.bound), str(e.designs))
                for e in made.gained
            ),
        )
