"""`imak simulate FIT --prior`: what the priors say of outcomes, before any fit."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from rich.table import Table

from imak_pkpd.check.prior_table import TITLE, prior_frame
from imak_pkpd.cli.bar import progress_bar
from imak_pkpd.cli.screen import console, table
from imak_pkpd.fit.prior_predictive import prior_predictive
from imak_pkpd.fit.spec import FitSpec, read_fit
from imak_pkpd.report.prior_figure import write_prior_figure

Rows = pd.DataFrame


def show_prior(
    path: Path,
    out: Path | None,
    cohort: str | None,
    patients: int | None,
    draws: int,
    size: int,
    number: int,
    as_json: bool,
) -> None:
    """Tables on the screen or JSON; with `out` a CSV file and a figure beside it."""
    for file in written(out):
        if file.exists():
            raise ValueError(f"{file} exists: remove it, or write to another file")
    spec = read_fit(path)
    with progress_bar(console(stderr=True)) as progress:
        found = prior_predictive(spec, cohort, patients, draws, number, progress.stage)
    frame = prior_frame(found, size, number)
    if as_json:
        print(document(frame, size))
    else:
        for each in tables(spec, frame, size):
            console().print(each)
    for file, write in zip(written(out), (write_csv, write_prior_figure), strict=False):
        write(file, frame, size)
        console(stderr=True).print(f"wrote {file}", soft_wrap=True)


def written(out: Path | None) -> tuple[Path, ...]:
    return () if out is None else (out, out.with_suffix(".svg"))


def write_csv(file: Path, frame: Rows, size: int) -> None:
    """All rows, with the title as a comment before the header."""
    file.write_text(f"# {TITLE}; trials of {size}\n{frame.to_csv(index=False)}")


def document(frame: Rows, size: int) -> str:
    """The same as JSON; what a row does not have is null."""
    rows = json.loads(frame.to_json(orient="records"))
    return json.dumps({"title": TITLE, "trial_size": size, "rows": rows}, indent=1)


def tables(spec: FitSpec, frame: Rows, size: int) -> Iterator[Table]:
    """Chances, times and values, strata, scenarios; then what could not be solved."""
    everyone = frame[frame["where"] == ""]
    yield titled(TITLE, chances(everyone, size))
    yield titled("Times and values: 5 / 50 / 95 % of patients", courses(everyone))
    inside = frame[(frame["where"] != "") & (frame.part != "scenario")]
    if len(inside):
        yield titled("By class of patients", grid(inside, ("part", "where")))
    if (frame.part == "scenario").any():
        own = everyone[everyone.part == "medians"].assign(where="as it is")
        rows = pd.concat([own, frame[frame.part == "scenario"]])
        names = {name: block.title or name for name, block in spec.scenario.items()}
        rows = rows.assign(where=rows["where"].replace(names))
        yield titled("Scenarios, at prior medians", grid(rows, ("where",)))


def titled(title: str, made: Table) -> Table:
    made.title, made.title_justify = title, "left"
    return made


def chances(rows: Rows, size: int) -> Table:
    trial = f"in trials of {size}: median (5 – 95 %)"
    headings = ("probability", "at prior medians", "at draws", trial, "unsolved")
    return table(headings, map(chance, pairs(rows, ("chance", "share"))))


def pairs(rows: Rows, kinds: Sequence[str]) -> Iterator[tuple[pd.Series, pd.Series]]:
    """The rows of an estimand at the medians and in trials."""
    chosen = rows[rows.kind.isin(kinds) & rows.part.isin(("medians", "trials"))]
    for _, both in chosen.groupby("estimand", sort=False):
        yield both.iloc[0], both.iloc[1]


def chance(both: tuple[pd.Series, pd.Series]) -> tuple[str, ...]:
    fixed, drawn = both
    low, middle, high = drawn.trial_q05, drawn.trial_q50, drawn.trial_q95
    trial = "" if pd.isna(middle) else f"{middle:g} ({low:g} – {high:g})"
    means = (f"{each['mean']:.3f} ± {each.se:.3f}" for each in both)
    return fixed.estimand, *means, trial, str(fixed.unsolved + drawn.unsolved)


def courses(rows: Rows) -> Table:
    became = "crossed / not / never above"
    headings = ("", "at prior medians", became, "at draws", became, "unsolved")
    return table(headings, map(course, pairs(rows, ("time", "value"))))


def course(both: tuple[pd.Series, pd.Series]) -> tuple[str, ...]:
    cells = [cell for row in both for cell in (quantiles(row), outcomes(row))]
    return both[0].estimand, *cells, str(sum(row.unsolved for row in both))


def quantiles(row: pd.Series) -> str:
    return f"{row.q05:.3g} / {row.q50:.3g} / {row.q95:.3g}"


def outcomes(row: pd.Series) -> str:
    if row.kind != "time":
        return ""
    return f"{row.crossed:.3f} / {row.not_crossed:.3f} / {row.never_above:.3f}"


def grid(rows: Rows, keys: Sequence[str]) -> Table:
    """Means, one column per estimand, one row per group of patients."""
    chosen = rows[rows.kind.isin(("chance", "share"))]
    names = list(chosen.estimand.unique())
    lines = []
    for _, own in chosen.groupby(list(keys), sort=False):
        mean = own.set_index("estimand")["mean"]
        label = " ".join(own.iloc[0][list(keys)])
        cells = (f"{mean[name]:.3f}" if name in mean else "" for name in names)
        lines.append((label, *cells, str(own.unsolved.max())))
    return table(("", *names, "unsolved"), lines)
