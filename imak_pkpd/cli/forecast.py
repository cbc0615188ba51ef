"""`imak forecast RUN --patient FILE`: what becomes of a patient, from early samples."""

import json
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imak_pkpd.cli.failure import DIAGNOSTIC

if TYPE_CHECKING:
    from rich.table import Table

    from imak_pkpd.decide.finished_run import FinishedRun
    from imak_pkpd.decide.forecast import Forecasts
    from imak_pkpd.decide.individual_posterior import IndividualPosterior


class Way(StrEnum):
    """How the patient's posterior is found."""

    auto = "auto"
    importance = "importance"
    tempered = "tempered"
    nuts = "nuts"


def forecast(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="a run folder")],
    patient: Annotated[
        Path, typer.Option(metavar="FILE", help="new patients, columns as in the fit")
    ],
    horizon: Annotated[
        float | None,
        typer.Option(min=0, help="time after the last dose; default: as in the fit"),
    ] = None,
    method: Annotated[
        Way, typer.Option(help="of sampling; auto weighs, and tempers if that fails")
    ] = Way.auto,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="for a program")] = False,
) -> None:
    """Forecast the patients of FILE from their first samples, given RUN."""
    from imak_pkpd.cli.bar import progress_bar
    from imak_pkpd.cli.jax_settings import prepare_jax
    from imak_pkpd.cli.screen import console
    from imak_pkpd.decide.answer_folder import answer_folder
    from imak_pkpd.decide.finished_run import read_finished, require_patients
    from imak_pkpd.decide.forecast import forecast as forecast_of
    from imak_pkpd.decide.forecast_folder import FORECASTS, document, write_forecasts

    prepare_jax()
    finished = require_patients(read_finished(run))
    asked = (horizon, method.value, seed)
    folder = answer_folder(finished, FORECASTS, patient.stem, [patient], *asked)
    with progress_bar(console(stderr=True)) as progress:
        made = forecast_of(finished, patient, horizon, method.value, seed, progress)
    write_forecasts(finished, made, folder)
    if as_json:
        said = {"folder": str(folder), **document(finished, made)}
        print(json.dumps(said, indent=1))
    else:
        show(made, finished, folder)
    if not all(each.posterior.sampling.reliable for each in made.patients):
        raise typer.Exit(DIAGNOSTIC)


def show(made: "Forecasts", run: "FinishedRun", folder: Path) -> None:
    """The tables on the screen, and where the files are."""
    from imak_pkpd.cli.screen import console
    from imak_pkpd.decide.notice import NOTICE

    screen = console()
    for each in screens(made):
        screen.print(each)
    for sentence in warnings((each.posterior for each in made.patients), run):
        screen.print(sentence, soft_wrap=True)
    screen.print(f"forecast: {folder}", soft_wrap=True)
    screen.print(f"{NOTICE} Every number rests on the model.", soft_wrap=True)


def screens(made: "Forecasts") -> Iterator["Table"]:
    """Estimands, parameters, and how they were found."""
    from imak_pkpd.cli.screen import table
    from imak_pkpd.decide.forecast_tables import tables

    found = tables(made)
    within = "median (50 %) [90 %]"
    columns = ("patient", "estimand", "probability", within, "unsolved")
    yield table(columns, map(estimand_cells, found["estimands"].to_dict("records")))
    columns = ("patient", "parameter", "unit", "before the samples", within)
    yield table(columns, map(parameter_cells, found["parameters"].to_dict("records")))
    names = ("patient", "found by", "why", "k-hat", "ESS", "R-hat", "failed solves")
    yield table(names, map(sampling_cells, found["sampling"].to_dict("records")))


Row = dict[Any, Any]


def estimand_cells(row: Row) -> tuple[str, ...]:
    return (
        str(row["patient"]),
        row["estimand"],
        probability(row),
        interval(row),
        str(row["unsolved"]),
    )


def probability(row: Row) -> str:
    """Of the outcome; of a crossing what became of it."""
    if row["crossed"] == row["crossed"]:  # NaN is not itself: not a crossing
        return (
            f"{row['crossed']:.3f} crossed, {row['not_crossed']:.3f} not, "
            f"{row['never_above']:.3f} never above (± {row['se']:.3f})"
        )
    return f"{row['mean']:.3f}" if row["chance"] else ""


def parameter_cells(row: Row) -> tuple[str, ...]:
    before = {name: row[f"before_{name}"] for name in ("median", "q05", "q95")}
    wide = f"{before['median']:.3g} [{before['q05']:.3g} – {before['q95']:.3g}]"
    return str(row["patient"]), row["parameter"], row["unit"], wide, interval(row)


def sampling_cells(row: Row) -> tuple[str, ...]:
    rhat = row["rhat"]
    return (
        str(row["patient"]),
        row["method"],
        row["why"],
        f"{row['k_hat']:.2f}",
        f"{row['ess']:.0f} of {row['points']}",
        "" if rhat is None or rhat != rhat else f"{rhat:.3f}",
        f"{row['failed_solves']} of {row['solves']}",
    )


def interval(row: Row) -> str:
    if row["median"] != row["median"]:
        return "none"
    return (
        f"{row['median']:.3g} ({row['q25']:.3g} – {row['q75']:.3g}) "
        f"[{row['q05']:.3g} – {row['q95']:.3g}]"
    )


def warnings(
    found: "Iterable[IndividualPosterior]", run: "FinishedRun"
) -> Iterator[str]:
    """What speaks against the numbers: draws, the run, a population that is none."""
    from imak_pkpd.decide.notice import SYNTHETIC

    for each in found:
        if not each.sampling.reliable:
            yield (
                f"patient {each.patient.name}: the draws are not reliable (k-hat, "
                "R-hat or the solver): do not use these numbers; try --method tempered "
                "or nuts"
            )
    if run.complaint:
        yield f"the run itself: {run.complaint}"
    if run.synthetic:
        yield SYNTHETIC
