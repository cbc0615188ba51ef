"""Individuals: one figure per patient, and their parameters."""

from collections.abc import Iterator

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from imak_pkpd.check.censoring import Codes
from imak_pkpd.report.blocks import (
    Block,
    Figure,
    Gallery,
    NotRun,
    Part,
    Prose,
    Section,
    Table,
)
from imak_pkpd.report.figure import BLUE, GREY, INK, ORANGE, SERIES, figure
from imak_pkpd.report.number import with_unit
from imak_pkpd.report.run import Curves, Run

MOST_FIGURES = 200
"""A page with more figures than this no longer opens quickly."""

LOG_SPAN = 50.0
"""Data that span more than this factor are drawn on a logarithmic axis."""

MARGIN = 3.0
"""Half a decade is left free below the lowest sample on a logarithmic axis."""

EVENTS = (
    " Of a time to an event the curve is the hazard: a cross on it is the event, a "
    "point a row without it."
)

STRAIGHT = (
    " at the sampling times, joined by straight lines because the run kept no curve "
    "between them"
)


def figures(run: Run) -> Iterator[Block]:
    """Data and predictions of every patient."""
    good = run.goodness
    smooth = run.curves is not None
    yield Prose(
        "Line and band: median and 90 % interval of the individual prediction"
        f"{'' if smooth else STRAIGHT}; dashed: the typical prediction (random effects "
        "zero). Triangles: samples beyond an assay limit. Ticks below: doses."
        + EVENTS
        * any(output.timed for output in run.outputs)
    )
    seen = [s for s in range(len(run.subjects)) if np.any(good.subject == s)]
    yield Gallery([_figure(run, s) for s in seen[:MOST_FIGURES]])
    unseen = [run.subjects[s] for s in range(len(run.subjects)) if s not in seen]
    if unseen:
        yield NotRun("Figures of patients without a sample", ", ".join(unseen))
    if len(seen) > MOST_FIGURES:
        left = f"{len(seen) - MOST_FIGURES} of {len(seen)} are left out"
        yield NotRun("Figures of the other patients", left)


def _figure(run: Run, s: int) -> Figure:
    names = ", ".join(output.name for output in run.outputs)
    return figure(
        run,
        f"patient-{s + 1}",
        lambda canvas: _draw(canvas, run, s),
        alt=f"Patient {run.subjects[s]}: observed and predicted {names} against time.",
        caption=f"Patient {run.subjects[s]}",
        size=(3.5, 0.5 + 2.1 * len(_outputs(run, s))),
    )


def _outputs(run: Run, s: int) -> list[int]:
    """The outputs that this patient has samples of."""
    return [int(k) for k in np.unique(run.goodness.output[run.goodness.subject == s])]


def _draw(canvas: Canvas, run: Run, s: int) -> None:
    mine = _outputs(run, s)
    grid = canvas.subplots(len(mine), 1, sharex=True, squeeze=False)[:, 0]
    for axes, k in zip(grid, mine, strict=True):
        _draw_output(axes, run, s, k)
        output = run.outputs[k]
        axes.set_ylabel(with_unit(output.name, output.unit))
    grid[-1].set_xlabel(with_unit("time", run.facts.time))


def _draw_output(axes: Axes, run: Run, s: int, k: int) -> None:
    good = run.goodness
    rows = np.flatnonzero((good.subject == s) & (good.output == k))
    rows = rows[np.argsort(good.time[rows], kind="stable")]
    time, dv = good.time[rows], good.observed.dv[rows]
    known, colour = good.observed.censor[rows] == 0, SERIES[k % len(SERIES)]
    drawn = _curves(run, s, k, rows)
    _draw_curves(axes, drawn, colour)
    if run.outputs[k].timed:
        event, dv = dv == 1, good.ipred[rows]
        axes.plot(time[event], dv[event], "x", color=ORANGE, markersize=6)
    axes.plot(time[known], dv[known], "o", color=INK, markersize=3)
    axes.plot(time[~known], dv[~known], "v", color=ORANGE, markersize=4.5)
    shown = np.concatenate([dv, good.ipred[rows]])
    if shown.min() > 0 and shown.max() > LOG_SPAN * shown.min():
        axes.set_yscale("log")
        # a curve that begins at nearly nothing would squeeze the samples
        axes.set_ylim(bottom=shown.min() / MARGIN)
    _draw_doses(axes, run, s)


def _curves(run: Run, s: int, k: int, rows: Codes) -> Curves:
    """The curves of one patient and output; without them, its predicted samples.

    `rows` are the samples in order of time.
    """
    good, kept = run.goodness, run.curves
    if kept is not None:
        own = Curves(kept.time[s], *(curve[s, :, k] for curve in kept[1:]))
        if np.isfinite(own).all():
            return own
    named = (good.time, good.ipred_low, good.ipred, good.ipred_high, good.pred)
    return Curves(*(column[rows] for column in named))


def _draw_curves(axes: Axes, drawn: Curves, colour: str) -> None:
    """Line, band and dashed line, broken where TIME starts anew."""
    restarts = np.flatnonzero(np.diff(drawn.time) < 0) + 1
    for part in np.split(np.arange(len(drawn.time)), restarts):
        time, low, median, high, typical = (curve[part] for curve in drawn)
        axes.fill_between(time, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(time, median, color=colour)
        axes.plot(time, typical, "--", color=GREY, linewidth=1)


def _draw_doses(axes: Axes, run: Run, s: int) -> None:
    doses = run.need("constant_data", "dose_time", "dose_subject_index")
    mine = doses["dose_subject_index"].values == s
    moments = np.asarray(doses["dose_time"].values, float)[mine]
    low, high = axes.get_xlim()
    near = moments[(moments >= low) & (moments <= high)]
    if len(near) == 0:
        return  # a line without points has no extent, and the layout gives up
    axes.plot(
        near, np.zeros(len(near)), "|", color=BLUE, markersize=7, clip_on=False,
        transform=axes.get_xaxis_transform(),
    )  # fmt: skip


def values(run: Run) -> Iterator[Block]:
    """Individual parameters: posterior median and 95 % interval."""
    posterior = run.need("posterior", "subject")
    rows: list[dict[str, object]] = [{"patient": label} for label in run.subjects]
    for name, variable in posterior.data_vars.items():
        if set(variable.dims) != {"chain", "draw", "subject"}:
            continue
        if _internal(str(name), posterior):
            continue
        draws = variable.transpose("subject", "chain", "draw").values
        flat = draws.reshape(len(draws), -1)
        ends = np.quantile(flat, (0.025, 0.5, 0.975), axis=1).T
        title = with_unit(str(name), run.facts.unit_of(str(name)))
        for row, (low, middle, high) in zip(rows, ends, strict=True):
            row |= {title: middle, f"{name} 2.5 %": low, f"{name} 97.5 %": high}
    yield Table(
        "individuals",
        "Individual parameters: posterior median and equal-tailed 95 % interval.",
        rows,
    )


def _internal(name: str, posterior: xr.Dataset) -> bool:
    """Whether a variable is a random effect or an auxiliary of the sampler."""
    if name.startswith("z_"):  # or a parameter that is called so
        return f"eta_{name.removeprefix('z_')}" in posterior
    return name.startswith(("eta_", "solve_status", "log_likelihood"))


SECTION = Section(
    "individuals",
    "Individuals",
    (Part("One figure per patient", figures), Part("Individual parameters", values)),
)
