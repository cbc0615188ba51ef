"""The figure of a simulated trial: power by true difference, and the arms.

`trial_picture` is an SVG file of its own, `trial_figure` the same on the page of a
report; both draw what is in trial.json.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from imak_pkpd.decide.notice import NOTICE
from imak_pkpd.report.blocks import Figure
from imak_pkpd.report.figure import (
    BLUE,
    GREY,
    ORANGE,
    PALE,
    SERIES,
    drawing,
    figure,
    reference_line,
)
from imak_pkpd.report.run import Run

Document = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]

WIDE, TALL = 8.6, 2.3  # inches of an endpoint


def trial_picture(document: Document) -> str:
    """An SVG document: one row per endpoint, left the power, right the arms."""
    synthetic = document["population_is_synthetic"]
    return drawing("trial", lambda c: _draw(c, document), _size(document), synthetic)


def trial_figure(run: Run, name: str, document: Document) -> Figure:
    """The same for the page of a report."""
    return figure(
        run,
        name,
        lambda canvas: _draw(canvas, document),
        alt="By endpoint: how often arms succeed, what they do and what trials report.",
        caption="Left: how often an arm succeeds by its true difference, in groups "
        "of draws; bars are two Monte Carlo errors, the pale lines alpha and no "
        "difference. Right: means, and 5 to 95 %, of what arms truly do (blue, over "
        "draws) and of what trials report (orange, over trials).",
        size=_size(document),
    )


def _size(document: Document) -> tuple[float, float]:
    return WIDE, TALL * len(document["endpoints"]) + 0.6


def _draw(canvas: Canvas, document: Document) -> None:
    endpoints = document["endpoints"]
    axes = canvas.subplots(len(endpoints), 2, squeeze=False)
    for (left, right), each in zip(axes, endpoints, strict=True):
        _power(left, each, document)
        _arms(right, each["endpoint"], _of(each, document["arms"]))
    canvas.supxlabel(f"Simulated trials. {NOTICE}", fontsize=8, color=GREY)


def _of(endpoint: Mapping[str, Any], rows: Rows) -> Rows:
    return [row for row in rows if row["endpoint"] == endpoint["endpoint"]]


def _power(axes: Axes, endpoint: Mapping[str, Any], document: Document) -> None:
    """P(success) against the true difference, with twice its Monte Carlo error."""
    compared = _of(endpoint, document["comparisons"])
    for each, colour in zip(compared, SERIES * len(compared), strict=False):
        groups = _of(endpoint, document["power"])
        _groups(axes, [g for g in groups if g["arm"] == each["arm"]], each, colour)
    reference_line(axes, endpoint["alpha"])
    axes.axvline(0.0, color=PALE, linewidth=1)
    axes.set_ylim(-0.02, 1.02)
    against = compared[0]["against"]
    held = against if isinstance(against, str) else f"{against:g}"
    axes.set_xlabel(f"true difference from {held}")
    axes.set_ylabel("P(success)")
    axes.legend(loc="upper left")


def _groups(axes: Axes, groups: Rows, each: Mapping[str, Any], colour: str) -> None:
    x, y, error = (
        np.array([group[key] for group in groups], float)
        for key in ("expected_difference", "success", "success_se")
    )
    name = f"{each['arm']}: {each['success']:.2f} in all"
    axes.errorbar(x, y, 2 * error, fmt="o-", color=colour, markersize=3, label=name)


def _arms(axes: Axes, endpoint: str, arms: Rows) -> None:
    """5 – 95 % of what arms truly do (over draws) and of what trials report."""
    rows = np.arange(len(arms))
    for shift, colour, name, key in (
        (-0.12, BLUE, "truly, over draws", "expected"),
        (0.12, ORANGE, "reported, over trials", "observed"),
    ):
        middle, low, high = (
            np.array([arm[f"{key}{end}"] for arm in arms], float)
            for end in ("", "_q05", "_q95")
        )
        axes.hlines(rows + shift, low, high, color=colour, linewidth=2.5, label=name)
        axes.plot(middle, rows + shift, "o", color=colour)
    axes.set_yticks(rows, [arm["arm"] for arm in arms])
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.set_title(endpoint)
    axes.legend(loc="best")
