"""Goodness of fit: data against predictions, residuals, normality."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from scipy.stats import kstest, norm

from imak_pkpd.report.blocks import Block, NotRun, Part, Prose, Section, Table
from imak_pkpd.report.facts import Output
from imak_pkpd.report.figure import (
    BLUE,
    GREY,
    ORANGE,
    PALE,
    figure,
    log_axis,
    reference_line,
)
from imak_pkpd.report.number import with_unit
from imak_pkpd.report.run import Run
from imak_pkpd.report.sections import events

TREND_POINTS = 20
"""Fewer points than this have no trend line."""


class Cloud(NamedTuple):
    """Points of a plot; those beyond an assay limit are drawn apart."""

    x: np.ndarray
    y: np.ndarray
    censored: np.ndarray


def predictions(run: Run) -> Iterator[Block]:
    """DV against population and individual prediction, linear and log; events against
    the number that was expected."""
    yield from events.comparison(run)
    for k, output in _measured(run):
        rows = run.goodness.output == k
        if not rows.any():
            yield NotRun(f"Goodness of fit of {output.name}", "it has no sample")
            continue
        yield figure(
            run,
            f"dv-predictions-{k + 1}",
            lambda canvas, k=k: _draw_predictions(canvas, run, k),  # type: ignore[misc]
            alt=f"Observed {output.name} against population and individual prediction, "
            "linear above, logarithmic below, with the line of identity.",
            caption=f"{output.name}: DV against PRED (random effects zero) and IPRED "
            "(the patient's own), posterior medians. Triangles: beyond an assay limit, "
            "drawn at the limit. Line: identity.",
            size=(7.4, 6.4),
        )


def _measured(run: Run) -> list[tuple[int, Output]]:
    """The outputs that are not times to an event, with their places."""
    return [(k, each) for k, each in enumerate(run.outputs) if not each.timed]


def _draw_predictions(canvas: Canvas, run: Run, k: int) -> None:
    good, output = run.goodness, run.outputs[k]
    rows = good.output == k
    dv, censored = good.observed.dv[rows], good.observed.censor[rows] != 0
    grid = canvas.subplots(2, 2)
    for column, (name, predicted) in enumerate(
        (("PRED", good.pred[rows]), ("IPRED", good.ipred[rows]))
    ):
        for line in (0, 1):
            axes = grid[line, column]
            shown = (predicted > 0) & (dv > 0) if line else np.ones(len(dv), bool)
            shown &= not (line and output.graded)
            if not shown.any():
                axes.set_axis_off()
                continue
            _identity(axes, predicted[shown], dv[shown], log=bool(line))
            _scatter(axes, Cloud(predicted[shown], dv[shown], censored[shown]))
            axes.set_xlabel(with_unit(name, output.unit))
            axes.set_ylabel(with_unit("DV", output.unit))


def _identity(axes: Axes, x: np.ndarray, y: np.ndarray, *, log: bool) -> None:
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    if log:
        log_axis(axes, "x")
        log_axis(axes, "y")
    axes.plot([low, high], [low, high], color=PALE, linewidth=1, zorder=0)


def _scatter(axes: Axes, cloud: Cloud) -> None:
    x, y, beyond = cloud
    axes.plot(x[~beyond], y[~beyond], "o", color=BLUE, alpha=0.65, markersize=3.2)
    axes.plot(x[beyond], y[beyond], "v", color=ORANGE, markersize=4.2, fillstyle="none")


def residuals(run: Run) -> Iterator[Block]:
    """IWRES and NPDE against time, time after dose and prediction."""
    for k, output in _measured(run):
        if not np.any(run.goodness.output == k):
            continue
        yield figure(
            run,
            f"residuals-{k + 1}",
            lambda canvas, k=k: _draw_residuals(canvas, run, k),  # type: ignore[misc]
            alt=f"IWRES and NPDE of {output.name} against time, time after dose and "
            "prediction; no trend is expected.",
            caption=f"{output.name}: residuals should scatter evenly around 0, nearly "
            "all within ±2 (dotted). Grey line: running median. Triangles: samples "
            "beyond an assay limit, whose IWRES is that of the limit and whose NPDE "
            "holds a random draw.",
            size=(7.4, 5.0),
        )
    missing = [f"{run.subjects[s]}: {why}" for s, why in run.npde.not_run]
    if missing:
        yield NotRun("NPDE of some patients", "; ".join(missing))


def _draw_residuals(canvas: Canvas, run: Run, k: int) -> None:
    good = run.goodness
    rows = good.output == k
    censored = good.observed.censor[rows] != 0
    grid = canvas.subplots(2, 3, sharey="row")
    time = run.facts.time
    for line, (name, residual, predicted, against) in enumerate(
        (
            ("IWRES", good.iwres, good.ipred, "IPRED"),
            ("NPDE", run.npde.value, good.pred, "PRED"),
        )
    ):
        for axes, x, label in zip(
            grid[line],
            (good.time, good.time_after_dose, predicted),
            (
                with_unit("time", time),
                with_unit("time after dose", time),
                with_unit(against, run.outputs[k].unit),
            ),
            strict=True,
        ):
            limits = name == "IWRES"
            _draw_residual(axes, x[rows], residual[rows], censored, limits=limits)
            axes.set_xlabel(label)
        grid[line, 0].set_ylabel(name)


def _draw_residual(
    axes: Axes, x: np.ndarray, y: np.ndarray, censored: np.ndarray, *, limits: bool
) -> None:
    """One panel; `limits`: censored residuals are bounds and make no trend."""
    for level in (-2.0, 2.0):
        axes.axhline(level, color=PALE, linewidth=0.8, linestyle=":", zorder=0)
    reference_line(axes)
    usable = np.isfinite(x) & np.isfinite(y)
    _scatter(axes, Cloud(x[usable], y[usable], censored[usable]))
    trend = usable & ~(censored & limits)
    if trend.sum() >= TREND_POINTS:
        axes.plot(*running_median(x[trend], y[trend]), color=GREY, linewidth=1.6)


def running_median(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Medians of y over eight runs of equal size along x."""
    runs = np.array_split(np.argsort(x, kind="stable"), 8)
    return (
        np.array([np.median(x[run]) for run in runs]),
        np.array([np.median(y[run]) for run in runs]),
    )


def normality(run: Run) -> Iterator[Block]:
    """Quantiles of IWRES and NPDE against the normal ones, and their moments."""
    rows = []
    for k, output in _measured(run):
        if not np.any(run.goodness.output == k):
            continue
        for name, residual in (("IWRES", run.goodness.iwres), ("NPDE", run.npde.value)):
            usable = _usable(run, k, name, residual)
            if len(usable) > 1:
                rows.append(
                    {
                        "output": output.name,
                        "residual": name,
                        "samples": len(usable),
                        "mean (expected 0)": usable.mean(),
                        "SD (expected 1)": usable.std(ddof=1),
                        "beyond ±2 (%; expected 4.6)": 100 * np.mean(abs(usable) > 2),
                        "Kolmogorov–Smirnov p": _normal_p(name, usable),
                    }
                )
        yield figure(
            run,
            f"normal-quantiles-{k + 1}",
            lambda canvas, k=k: _draw_quantiles(canvas, run, k),  # type: ignore[misc]
            alt=f"Ordered IWRES and NPDE of {output.name} against normal quantiles, "
            "with the line of identity.",
            caption=f"{output.name}: ordered residuals against normal quantiles. IWRES "
            "without censored samples.",
            size=(7.4, 3.3),
        )
    if rows:
        yield Table("residuals", "Residuals in numbers.", rows)
        yield Prose(
            "NPDE are decorrelated within each patient over all outputs; samples "
            f"beyond an assay limit are drawn within it (seed {run.npde.seed}). IWRES "
            "of patients with few samples shrink, so an SD below 1 is common."
        )


def _usable(run: Run, k: int, name: str, residual: np.ndarray) -> np.ndarray:
    """Finite residuals of one output; IWRES of quantified samples only."""
    good = run.goodness
    rows = (good.output == k) & np.isfinite(residual)
    if name == "IWRES":
        rows &= good.observed.censor == 0
    return residual[rows]


def _normal_p(name: str, values: np.ndarray) -> float:
    """p of normality; NaN for IWRES, which are correlated and shrunk by the fit."""
    return float(kstest(values, "norm").pvalue) if name == "NPDE" else np.nan


def _draw_quantiles(canvas: Canvas, run: Run, k: int) -> None:
    for axes, name, residual in zip(
        canvas.subplots(1, 2),
        ("IWRES", "NPDE"),
        (run.goodness.iwres, run.npde.value),
        strict=True,
    ):
        ordered = np.sort(_usable(run, k, name, residual))
        place = (np.arange(len(ordered)) + 0.5) / max(len(ordered), 1)
        axes.axline((0, 0), slope=1, color=PALE, linewidth=1, zorder=0)
        axes.plot(norm.ppf(place), ordered, "o", color=BLUE, alpha=0.65, markersize=3.2)
        axes.set_xlabel("normal quantile")
        axes.set_ylabel(name)


SECTION = Section(
    "goodness",
    "Goodness of fit",
    (
        Part("Observed against predicted", predictions),
        Part("Residuals", residuals),
        Part("Normality of residuals", normality),
    ),
)
