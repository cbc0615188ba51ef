"""Visual predictive checks per output and dose group, plain and corrected."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Canvas

from imak_pkpd.check.censoring import Observed, assay_limits
from imak_pkpd.check.goodness import Goodness, stacked
from imak_pkpd.check.vpc import (
    SAMPLES_PER_BIN,
    Vpc,
    bin_count,
    corrected_vpc,
    time_bins,
    vpc,
)
from imak_pkpd.report.blocks import Block, NotRun, Part, Prose, Section, Table
from imak_pkpd.report.figure import BLUE, GREY, INK, ORANGE, PURPLE, figure, log_axis
from imak_pkpd.report.groups import DoseGroup
from imak_pkpd.report.number import with_unit
from imak_pkpd.report.run import Run
from imak_pkpd.report.sections import events

FEWEST_SAMPLES = 10
"""Fewer samples in a panel have no percentiles to compare."""

LOG_SPAN = 50.0
"""Percentiles that span more than this factor are drawn on a logarithmic axis."""

DOT: dict[str, Any] = {"markersize": 2.5, "alpha": 0.6, "zorder": 2}

HOW = (
    "Lines: 10th, 50th and 90th percentile of the data in each time bin; bands: the "
    "central 95 % of the same percentiles of replicates with new patients. A "
    "percentile that lies among censored samples is not drawn."
)


def plain(run: Run) -> Iterator[Block]:
    """The VPC of every output and dose group, with the share below the limit."""
    yield Prose(
        "Bins are cut at quantiles of time, as many as a patient has samples at the "
        f"median, or one per {SAMPLES_PER_BIN} samples (3 to 10). {HOW} "
        f"There are {_replicate_count(run)} replicates."
    )
    yield from _timed(run)
    for k, g, rows, group in _panels(run):
        yield from _plain_panel(run, k, g, rows, group)


def _timed(run: Run) -> Iterator[Block]:
    """What is said of the outputs without percentiles."""
    names = [output.name for output in run.outputs if output.timed]
    if names:
        yield NotRun(f"VPC of {', '.join(names)}", events.WHY)


def _measured(run: Run) -> list[int]:
    """The places of the others."""
    return [k for k, output in enumerate(run.outputs) if not output.timed]


def _panels(run: Run) -> Iterator[tuple[int, int, np.ndarray, DoseGroup]]:
    """Output, group number, rows and group of every panel."""
    run.need("posterior_predictive", "replicate")
    good = run.goodness
    for k in _measured(run):
        for g, group in enumerate(run.dose_groups, 1):
            inside = (good.output == k) & np.isin(good.subject, group.subjects)
            yield k, g, np.flatnonzero(inside), group


def _plain_panel(
    run: Run, k: int, g: int, rows: np.ndarray, group: DoseGroup
) -> Iterator[Block]:
    what = f"{run.outputs[k].name}, {group.name}"
    if len(rows) < FEWEST_SAMPLES:
        yield NotRun(f"VPC of {what}", f"{len(rows)} samples are too few")
        return
    good = run.goodness
    lloq = _limits(good)[rows]
    time, some = good.time[rows], good.observed.at(rows)
    panel = vpc(time, some, lloq, _replicates(run, rows), _bins(good, rows))
    blq = bool(np.any(np.isfinite(panel.blq_observed)))
    yield figure(
        run,
        f"vpc-{k + 1}-{g}",
        lambda canvas: _draw(canvas, run, k, panel, (time, some), blq=blq),
        alt=f"Visual predictive check of {what}: percentiles of the data within bands "
        "of simulated percentiles" + (", and the share below the limit." * blq or "."),
        caption=f"VPC of {what}."
        + " Below: share of samples under the limit of quantification, observed (line) "
        "and simulated (band)." * blq,
        size=(7.4, 5.2 if blq else 3.6),
    )
    yield _numbers(f"vpc-{k + 1}-{g}", f"VPC of {what}, in numbers.", panel)


def corrected(run: Run) -> Iterator[Block]:
    """The prediction-corrected VPC of every output over all dose groups."""
    yield Prose(
        "Each value is multiplied by the median PRED of its bin over its own PRED "
        "(Bergstrand et al. 2011), which takes differences of dose and covariates out."
    )
    run.need("posterior_predictive", "replicate")
    for k in _measured(run):
        output, rows = run.outputs[k], np.flatnonzero(run.goodness.output == k)
        if len(rows) < FEWEST_SAMPLES:
            why = f"{len(rows)} samples are too few"
            yield NotRun(f"Prediction-corrected VPC of {output.name}", why)
            continue
        yield from _corrected_panel(run, k, rows)


def _corrected_panel(run: Run, k: int, rows: np.ndarray) -> Iterator[Block]:
    good, name = run.goodness, run.outputs[k].name
    time, some, pred = good.time[rows], good.observed.at(rows), good.pred[rows]
    edges = _bins(good, rows)
    lloq = _limits(good)[rows]
    panel = corrected_vpc(time, some, lloq, _replicates(run, rows), pred, edges)
    if panel.refused:
        bins = ", ".join(str(number + 1) for number in panel.refused)
        yield NotRun(
            f"Prediction correction of {name} in time bin {bins} of {len(panel.count)}",
            "a typical prediction there is not positive, or they differ more than a "
            "thousandfold, and the correction divides by them",
        )
    if len(panel.refused) == len(panel.count):
        return
    yield figure(
        run,
        f"pcvpc-{k + 1}",
        lambda canvas: _draw(canvas, run, k, panel, None, blq=False),
        alt=f"Prediction-corrected visual predictive check of {name}: percentiles of "
        "the corrected data within bands of simulated percentiles.",
        caption=f"Prediction-corrected VPC of {name}, all patients.",
    )
    caption = f"Prediction-corrected VPC of {name}, in numbers."
    yield _numbers(f"pcvpc-{k + 1}", caption, panel)


def _replicate_count(run: Run) -> int:
    sizes = run.need("posterior_predictive", "replicate").sizes
    return sizes["chain"] * sizes["draw"]


def _limits(good: Goodness) -> np.ndarray:
    return assay_limits(good.observed, good.output)[0]


def _replicates(run: Run, rows: np.ndarray) -> np.ndarray:
    return stacked(run.tree, "replicate")[:, rows]


def _bins(good: Goodness, rows: np.ndarray) -> np.ndarray:
    return time_bins(good.time[rows], bin_count(good.subject[rows]))


def _draw(
    canvas: Canvas,
    run: Run,
    k: int,
    panel: Vpc,
    points: tuple[np.ndarray, Observed] | None,
    *,
    blq: bool,
) -> None:
    grid = canvas.subplots(
        1 + blq, 1, sharex=True, squeeze=False, height_ratios=[3, 1][: 1 + blq]
    )[:, 0]
    axes, x = grid[0], panel.centre
    if points is not None:
        time, some = points
        known = some.censor == 0
        axes.plot(time[known], some.dv[known], "o", color=GREY, **DOT)
        axes.plot(time[~known], some.dv[~known], "v", color=ORANGE, **DOT)
    for p, colour in enumerate((BLUE, PURPLE, BLUE)):
        low, _, high = panel.simulated[:, p]
        axes.fill_between(x, low, high, color=colour, alpha=0.3, linewidth=0)
        style = "-" if p == 1 else "--"
        axes.plot(x, panel.observed[p], style, color=INK, marker="o", markersize=3)
    known = panel.observed[np.isfinite(panel.observed)]
    if len(known) and 0 < LOG_SPAN * known.min() < known.max():
        log_axis(axes)
        axes.set_ylim(bottom=known.min() / 3)
    output = run.outputs[k]
    axes.set_ylabel(with_unit(output.name, output.unit))
    if blq:
        low, _, high = 100 * panel.blq_simulated
        grid[1].fill_between(x, low, high, color=ORANGE, alpha=0.25, linewidth=0)
        grid[1].plot(x, 100 * panel.blq_observed, color=INK, marker="o", markersize=3)
        grid[1].set_ylabel("BLQ (%)")
        grid[1].set_ylim(-3, 103)
    for edge in panel.edges:
        axes.plot([edge], [0], "|", color=GREY, transform=axes.get_xaxis_transform())
    grid[-1].set_xlabel(with_unit("time", run.facts.time))


def _numbers(name: str, caption: str, panel: Vpc) -> Table:
    rows = []
    for b in range(len(panel.count)):
        row: dict[str, object] = {
            "from": panel.edges[b],
            "to": panel.edges[min(b + 1, len(panel.edges) - 1)],
            "samples": int(panel.count[b]),
        }
        for p, percentile in enumerate(panel.percentiles):
            title = f"P{100 * percentile:g}"
            low, _, high = panel.simulated[:, p, b]
            row |= {title: panel.observed[p, b], f"{title} low": low}
            row[f"{title} high"] = high
        low, _, high = 100 * panel.blq_simulated[:, b]
        row |= {"BLQ (%)": 100 * panel.blq_observed[b], "BLQ low": low}
        rows.append(row | {"BLQ high": high})
    return Table(
        name, f"{caption} Low and high: 95 % of replicates.", rows, folded=True
    )


SECTION = Section(
    "vpc",
    "Predictive checks",
    (
        Part("Visual predictive check", plain),
        Part("Prediction-corrected", corrected),
    ),
)
