"""The figure of a prior predictive: chances, times, and scenarios, as SVG."""

import io
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas

from imak_pkpd.check.prior_table import TITLE
from imak_pkpd.report.figure import BLUE, GREY, ORANGE, PALE, SERIES, STYLE

LINE = 0.24
"""Inches of a row of dots."""


def write_prior_figure(path: Path, frame: pd.DataFrame, size: int) -> None:
    """Draws the rows of `prior_frame`, which counted trials of `size` patients."""
    with mpl.rc_context({**STYLE, "svg.hashsalt": "prior"}):
        scenarios = frame[frame.part == "scenario"]
        lines = [frame[frame["where"] == ""].estimand.nunique() + 1]
        lines += [scenarios["where"].nunique() + 2] if len(scenarios) else []
        canvas = Canvas(figsize=(8.6, LINE * sum(lines) + 1.6), layout="constrained")
        FigureCanvasSVG(canvas)
        canvas.suptitle(TITLE, color=GREY, fontsize=8)
        _draw(canvas, frame, size, lines)
        text = io.StringIO()
        canvas.savefig(text, format="svg", metadata={"Date": None})
    path.write_text(text.getvalue())


def _draw(canvas: Canvas, frame: pd.DataFrame, size: int, lines: list[int]) -> None:
    panels = canvas.subplots(len(lines), 2, squeeze=False, height_ratios=lines)
    everyone = frame[(frame["where"] == "") & (frame.part != "scenario")]
    _chances(panels[0, 0], everyone[everyone.kind == "chance"], size)
    _times(panels[0, 1], everyone[everyone.kind == "time"])
    for axes, kinds in zip(panels[1:].flat, (("chance",), ("share",)), strict=False):
        _scenarios(axes, frame[frame.kind.isin(kinds)])


def _rows(axes: Axes, names: list[str]) -> dict[str, int]:
    """One row per name, the first on top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="x", color=PALE, linewidth=0.6)
    return {name: place for place, name in enumerate(names)}


def _chances(axes: Axes, rows: pd.DataFrame, size: int) -> None:
    place = _rows(axes, list(rows.estimand.unique()))
    for part, own, colour, shift in _parts(rows):
        heights = np.array([place[name] for name in own.estimand]) + shift
        axes.plot(own["mean"], heights, "o", color=colour, markersize=4)
        if part == "trials":
            low, high = own.trial_q05 / size, own.trial_q95 / size
            axes.hlines(heights, low, high, color=colour)
    axes.set_xlim(0, 1)
    axes.set_title(
        "Probability: at prior medians (blue), at draws (orange;\n"
        f"line: 5–95 % of the shares in trials of {size})"
    )


def _times(axes: Axes, rows: pd.DataFrame) -> None:
    place = _rows(axes, list(rows.estimand.unique()))
    for _, own, colour, shift in _parts(rows):
        heights = np.array([place[name] for name in own.estimand]) + shift
        ends = own.q95.where(np.isfinite(own.q95), own.q50)
        axes.hlines(heights, own.q05, ends, color=colour)
        axes.plot(own.q50, heights, "o", color=colour, markersize=4)
    axes.set_xlim(left=0)
    axes.set_title("Time: median and 5–95 % of patients")


def _parts(
    rows: pd.DataFrame,
) -> Iterator[tuple[str, pd.DataFrame, str, float]]:
    """The rows of each part, its colour, and how far they lie off their line."""
    for part, colour, shift in (("medians", BLUE, -0.15), ("trials", ORANGE, 0.15)):
        yield part, rows[rows.part == part], colour, shift


def _scenarios(axes: Axes, rows: pd.DataFrame) -> None:
    there = rows[rows.part == "scenario"]
    place = _rows(axes, ["", *there["where"].unique()])
    reference = rows[(rows.part == "medians") & (rows["where"] == "")]
    both = pd.concat([reference, there])
    groups = both.groupby("estimand", sort=False)
    for colour, (name, own) in zip(cycle(SERIES), groups, strict=False):
        heights = [place[where] for where in own["where"]]
        axes.plot(
            own["mean"], heights, "o", color=colour, markersize=4, label=str(name)
        )
    axes.set_xlim(0, 1)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.12), ncols=3)
    axes.set_title("Scenarios at prior medians; on top as it is")
