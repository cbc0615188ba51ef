"""What `imak sample-days` computes, writes and shows."""

import json
from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from imak_pkpd.cli.bar import progress_bar
from imak_pkpd.cli.screen import console, table
from imak_pkpd.decide.finished_run import FinishedRun, read_finished
from imak_pkpd.decide.notice import NOTICE, SYNTHETIC
from imak_pkpd.decide.sample_days import Question, SampleDays, sample_days
from imak_pkpd.decide.sample_folder import (
    document,
    sample_folder,
    write_sample_days,
)
from imak_pkpd.decide.sample_tables import MEANING, percent, plain, sentences, varying
from imak_pkpd.report.page import write_report
from imak_pkpd.report.sample_figure import sample_picture


def show_sample_days(run: Path, asked: Question, as_json: bool) -> bool:
    """Files in RUN/sample_days, the run's report anew, and the answer on the screen;
    whether it is reliable."""
    finished = read_finished(run)
    folder = sample_folder(finished, asked)
    with progress_bar(console(stderr=True)) as progress:
        made = sample_days(finished, asked, progress)
    said = document(finished, made)
    write_sample_days(finished, made, said, sample_picture(said), folder)
    write_report(run)
    if as_json:
        print(json.dumps({"folder": str(folder), **said}, indent=1))
    else:
        show(made, finished, folder)
    return made.reliable


def show(made: SampleDays, run: FinishedRun, folder: Path) -> None:
    """The tables on the screen, the answer in words, and where the files are."""
    screen = console()
    screen.print(f"{made.who[0].upper()}{made.who[1:]}", soft_wrap=True)
    for each in tables(made):
        screen.print(each)
    screen.print(f"{MEANING} (± Monte Carlo error)", soft_wrap=True)
    for sentence in words(made, run):
        screen.print(sentence, soft_wrap=True)
    screen.print(f"{NOTICE} Every number rests on the model.", soft_wrap=True)
    screen.print(f"Written: {folder}", soft_wrap=True)


def words(made: SampleDays, run: FinishedRun) -> Iterator[str]:
    """What was found, on how many patients, and what speaks against it."""
    yield from sentences(made)
    yield f"{made.patients} simulated patients, {made.unsolved} of them unsolved."
    if made.complaint:
        yield f"Do not use these numbers: {made.complaint}."
    if run.complaint:
        yield f"The run itself: {run.complaint}"
    if run.synthetic:
        yield SYNTHETIC


def tables(made: SampleDays) -> Iterator[Table]:
    """By quantity and output, a column per day; then the gain in utility."""
    days = (f"{made.unit} {day:g}" for day in made.assays.days)
    yield table(("reduction of", "by", *days), reductions(made))
    if made.gained:
        headings = ("gain in utility by", made.unit, "gain", "at most", "open designs")
        yield table(headings, gains(made))


def reductions(made: SampleDays) -> Iterator[tuple[str, ...]]:
    """Of every quantity that varies, by every assay."""
    for name in varying(made):
        for output in made.assays.names:
            row = (name, output)
            by_day = [e for e in made.narrowed if (e.quantity, e.output) == row]
            yield *row, *(percent(each.reduction) for each in by_day)


def gains(made: SampleDays) -> Iterator[tuple[str, ...]]:
    for each in made.gained:
        numbers = plain(each.gain), plain(each.bound), str(each.designs)
        yield each.output, f"{each.day:g}", *numbers
