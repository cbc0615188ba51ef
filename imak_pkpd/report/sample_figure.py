"""The figure of `imak sample-days`: what each sample is worth against its day.

`sample_picture` is an SVG file of its own, `sample_figure` the same on the page of a
report; both draw what is in sample_days.json.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from imak_pkpd.decide.notice import NOTICE
from imak_pkpd.report.blocks import Figure
from imak_pkpd.report.figure import GREY, SERIES, drawing, figure, reference_line
from imak_pkpd.report.run import Run

Document = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]

ACROSS = 2  # panels in a row
WIDE, TALL = 3.7, 2.2  # inches of a panel
GAIN = "gain in utility"


def sample_picture(document: Document) -> str:
    """An SVG document: one panel per quantity, a last one for the utility."""
    synthetic = document["population_is_synthetic"]
    size = _size(document)
    return drawing("sample-days", lambda c: _draw(c, document), size, synthetic)


def sample_figure(run: Run, name: str, document: Document) -> Figure:
    """The same for the page of a report."""
    return figure(
        run,
        name,
        lambda canvas: _draw(canvas, document),
        alt="By quantity: what a sample of each assay tells, against its day.",
        caption="The share of each quantity's variance that one sample is expected to "
        "take away, and what it gains in utility where that was asked, against the day "
        "of the sample. Bars are two Monte Carlo errors.",
        size=_size(document),
    )


def narrowed(document: Document) -> list[str]:
    """The quantities that differ between simulated patients."""
    rows = document["reductions"]
    known = {row["quantity"] for row in rows if row["reduction"] is not None}
    return [name for name in document["definitions"] if name in known]


def _panels(document: Document) -> list[str]:
    return [*narrowed(document), *([GAIN] if document["evsi"] else [])]


def _down(document: Document) -> int:
    return max(-(-len(_panels(document)) // ACROSS), 1)


def _size(document: Document) -> tuple[float, float]:
    return WIDE * ACROSS, TALL * _down(document) + 0.4


def _draw(canvas: Canvas, document: Document) -> None:
    panels, down = _panels(document), _down(document)
    grid = canvas.subplots(down, ACROSS, sharex=True, squeeze=False)
    for axes, name in zip(grid.flat, panels, strict=False):
        _panel(axes, name, document)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    if len(document["assays"]) > 1:
        grid.flat[0].legend(ncols=2, fontsize=7)
    unit = document["time_unit"]
    canvas.supxlabel(f"{unit} of the sample. {NOTICE}", fontsize=8, color=GREY)


def _panel(axes: Axes, name: str, document: Document) -> None:
    """Bars are two Monte Carlo errors to either side."""
    rows, key = document["evsi"], "evsi"
    if name != GAIN:
        rows, key = document["reductions"], "reduction"
        rows = [row for row in rows if row["quantity"] == name]
    for output, colour in zip(document["assays"], SERIES * 9, strict=False):
        _line(axes, [row for row in rows if row["output"] == output], key, colour)
    reference_line(axes)
    axes.set_title(name)
    axes.set_ylabel("gain" if name == GAIN else "share of variance")


def _line(axes: Axes, rows: Rows, key: str, colour: str) -> None:
    """One assay: at each day a value and its error, the assay's name as label."""
    day, value, error = (
        np.array([row[each] for row in rows], float) for each in ("day", key, "se")
    )
    label = rows[0]["output"] if rows else ""
    axes.errorbar(
        day, value, 2 * error, color=colour, marker="o", markersize=3, label=label
    )
