"""What `imak dose RUN --patient FILE` computes, writes and shows."""

import json
from pathlib import Path

import typer
from rich.table import Table

from imak_pkpd.cli.bar import progress_bar
from imak_pkpd.cli.failure import DIAGNOSTIC
from imak_pkpd.cli.forecast import warnings
from imak_pkpd.cli.screen import console, table
from imak_pkpd.decide.answer_folder import answer_folder
from imak_pkpd.decide.finished_run import read_finished, require_patients
from imak_pkpd.decide.next_dose import NextDose, next_doses
from imak_pkpd.decide.next_folder import (
    NEXT_DOSES,
    next_document,
    next_sentence,
    write_next,
)
from imak_pkpd.decide.next_table import OptionRow
from imak_pkpd.decide.notice import NOTICE


def show_next(
    run: Path,
    patient: Path,
    times: tuple[float, ...],
    horizon: float | None,
    as_json: bool,
) -> None:
    """Files in RUN/next_doses, and the answer on the screen."""
    finished = require_patients(read_finished(run))
    choice = finished.spec.decision
    folder = answer_folder(
        finished, NEXT_DOSES, patient.stem, [patient], times, horizon, choice
    )
    with progress_bar(console(stderr=True)) as progress:
        made = next_doses(finished, patient, times, horizon, progress=progress)
    write_next(finished, made, folder)
    if as_json:
        print(json.dumps(next_document(finished, made), indent=1))
    else:
        screen = console()
        for each in made.patients:
            screen.print(options(each))
            screen.print(next_sentence(finished, each), soft_wrap=True)
        found = [each.posterior for each in made.patients]
        for sentence in warnings(found, finished):
            screen.print(sentence, soft_wrap=True)
        screen.print(f"options: {folder}", soft_wrap=True)
        screen.print(f"{NOTICE} Every number rests on the model.", soft_wrap=True)
    if not all(each.posterior.sampling.reliable for each in made.patients):
        raise typer.Exit(DIAGNOSTIC)


def options(found: NextDose) -> Table:
    """The options of one patient."""
    names = list(found.rows[0].means)
    limits = [text for _, text in found.block.limits()]
    headings = (
        *("", f"patient {found.name}", *names, *limits),
        *("utility", "gain ± MC", "P(best)", "loss", ""),
    )
    return table(headings, (cells(found, i, row) for i, row in enumerate(found.rows)))


def cells(found: NextDose, place: int, row: OptionRow) -> tuple[str, ...]:
    near = "≈" if place in found.as_good else ""
    unsolved = f"{row.unsolved:.1%} unsolved" if row.unsolved else ""
    return (
        "»" if place == found.chosen else near,
        row.option.words,
        *(f"{value:.3g}" for value in row.means.values()),
        *(f"{value:.3g}" for value in row.limits.values()),
        f"{row.utility:.3g}",
        f"{row.gain:.2g} ± {row.gain_se:.1g}",
        f"{row.best:.0%}",
        f"{row.loss:.2g}",
        "; ".join(each for each in (*row.broken, unsolved) if each),
    )
