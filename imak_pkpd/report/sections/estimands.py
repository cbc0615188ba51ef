"""Estimands: what was asked of every patient's curves, with its definition."""

import json
from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.figure import Figure as Canvas

from imak_pkpd.check.goodness import stacked
from imak_pkpd.report.blocks import Block, Part, Prose, Section, Table
from imak_pkpd.report.figure import BLUE, PALE, figure
from imak_pkpd.report.run import Run

INTERVAL = (0.05, 0.5, 0.95)
"""The central 90 % interval and the median."""

CROSSED, NOT_CROSSED, NEVER_ABOVE = 1, 2, 0
"""Codes of `NAME_outcome`; -1 is a draw that could not be solved."""

MOST_LABELS = 40
"""More patients than this are not named on the axis."""

Drawn = Float[np.ndarray, "draw subject"]


def definitions(run: Run) -> Mapping[str, str]:
    """What each estimand is, in words, in the order of the fit file; empty for none."""
    return json.loads(str(run.tree.attrs.get("estimands", "{}")))


def all_patients(run: Run) -> Iterator[Block]:
    """One row per estimand, over patients and draws together."""
    said = definitions(run)
    if not said:
        yield Prose("The fit file asks for none: there is no [estimand] table.")
        return
    group = run.need("estimand", *said)
    yield Prose(
        "Over all patients and posterior draws: what differs between patients and what "
        "is not known of one of them are both in these intervals."
    )
    yield Table(
        "estimands",
        "Median and central 90 % interval; of a crossing, given that there is one.",
        [
            {
                "estimand": name,
                "what it is": words,
                **_row(group, name, _draws(run, name)),
            }
            for name, words in said.items()
        ],
    )


def by_patient(run: Run) -> Iterator[Block]:
    """A figure and a table per estimand."""
    for name, words in definitions(run).items():
        group, values = run.need("estimand", name), _draws(run, name)
        yield figure(
            run,
            f"estimand-{name}".replace("_", "-"),
            partial(_draw, run=run, name=name, values=values),
            alt=f"Median and 90 % interval of {name} of every patient.",
            caption=f"{name}, the {words}: median and central 90 % interval of every "
            "patient, in the order of the medians. Faint where fewer than half of the "
            "draws have a value.",
        )
        yield Table(
            f"estimand-{name}".replace("_", "-"),
            f"{name} by patient.",
            [
                {"patient": subject, **_row(group, name, values[:, [place]], place)}
                for place, subject in enumerate(run.subjects)
            ],
            folded=True,
        )


def _draws(run: Run, name: str) -> Drawn:
    return stacked(run.tree, name, "estimand")


def _row(
    group: xr.Dataset, name: str, values: Drawn, place: int | None = None
) -> dict[str, object]:
    """Shares of the outcomes (of a crossing), median and interval of what there is."""
    there = values[np.isfinite(values)]
    low, middle, high = (
        np.quantile(there, INTERVAL) if there.size else (np.nan,) * len(INTERVAL)
    )
    row: dict[str, object] = {"median": middle, "5 %": low, "95 %": high}
    outcome = f"{name}_outcome"
    if outcome not in group:
        return {"P(crossed)": "", "P(not yet)": "", "P(never above)": "", **row}
    codes = np.asarray(group[outcome].values)
    codes = codes if place is None else codes[..., place]
    return {
        "P(crossed)": float(np.mean(codes == CROSSED)),
        "P(not yet)": float(np.mean(codes == NOT_CROSSED)),
        "P(never above)": float(np.mean(codes == NEVER_ABOVE)),
        **row,
    }


def _draw(canvas: Canvas, run: Run, name: str, values: Drawn) -> None:
    axes = canvas.subplots()
    known = np.isfinite(values)
    some = np.flatnonzero(known.any(0))
    bands = np.array([np.quantile(v[np.isfinite(v)], INTERVAL) for v in values.T[some]])
    if len(some) == 0:
        axes.text(0.5, 0.5, "no patient has a value", ha="center")
        axes.set_axis_off()
        return
    order = np.argsort(bands[:, 1])
    colours = np.where(known[:, some].mean(0)[order] >= 0.5, BLUE, PALE)
    x = np.arange(len(some))
    low, middle, high = bands[order].T
    axes.vlines(x, low, high, color=colours, linewidth=1.6)
    axes.scatter(x, middle, s=14, color=colours, zorder=3)
    axes.set_ylabel(name)
    axes.set_xticks([])
    if len(some) <= MOST_LABELS:
        axes.set_xticks(x, [run.subjects[some[i]] for i in order], rotation=90)


SECTION = Section(
    "estimands",
    "Estimands",
    (Part("All patients", all_patients), Part("By patient", by_patient)),
)
