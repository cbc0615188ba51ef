"""The figure of time courses at three doses: patients and what is not known, apart."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from imak_pkpd.report.blocks import Figure
from imak_pkpd.report.figure import BLUE, ORANGE, figure, log_axis
from imak_pkpd.report.run import Run

Entry = Mapping[str, Any]  # an entry of `courses` in dose.json

FLOOR = 1e-12  # of the largest value: below it a logarithmic axis shows nothing


def courses_figure(run: Run, name: str, entries: Sequence[Entry]) -> Figure:
    """A row per output, a column per design."""
    outputs = list(dict.fromkeys(each["output"] for each in entries))
    return figure(
        run,
        name,
        lambda canvas: _draw(canvas, outputs, entries),
        alt="Outputs against time under the least, the chosen and the largest amount.",
        caption="Under the least, the chosen and the largest amount. Orange: 5 to 95 % "
        "of patients. Blue: their median, with 5 to 95 % of draws.",
        size=(7.4, 0.6 + 2.0 * len(outputs)),
    )


def _draw(canvas: Canvas, outputs: Sequence[str], entries: Sequence[Entry]) -> None:
    columns = len(entries) // len(outputs)
    grid = canvas.subplots(len(outputs), columns, sharey="row", squeeze=False)
    for row, output in zip(grid, outputs, strict=True):
        own = [each for each in entries if each["output"] == output]
        wide = _spans_decades(own)
        for axes, each in zip(row, own, strict=True):
            _course(axes, each)
            axes.set_title(_words(each["amounts"]))
            if wide:
                axes.set_yscale("log")
        row[0].set_ylabel(f"{output} ({own[0]['unit']})" if own[0]["unit"] else output)
        if wide:
            log_axis(row[0], "y")
    for axes in grid[-1]:
        axes.set_xlabel(f"time ({entries[0]['time_unit']})")


def _words(amounts: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {amount:.2g}" for name, amount in amounts.items())


def _spans_decades(entries: Sequence[Entry]) -> bool:
    values = np.array([each["patients"] for each in entries], float)
    values = values[np.isfinite(values)]
    above = values[values > FLOOR * values.max(initial=0.0)]
    return bool(len(above) and (values >= 0).all() and np.ptp(np.log10(above)) > 2)


def _course(axes: Axes, each: Entry) -> None:
    time = each["time"]
    low, middle, high = np.array(each["patients"], float).T
    axes.fill_between(time, low, high, color=ORANGE, alpha=0.18, linewidth=0)
    axes.fill_between(time, *np.array(each["median"], float).T, color=BLUE, alpha=0.35)
    axes.plot(time, middle, color=BLUE)
