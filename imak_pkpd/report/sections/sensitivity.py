"""Prior against posterior: how much the data have said."""

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from scipy.stats import gaussian_kde

from imak_pkpd.check.contraction import contraction, on_scale, shift
from imak_pkpd.report.blocks import Block, NotRun, Part, Prose, Section, Table
from imak_pkpd.report.figure import BLUE, GREY, figure, log_axis
from imak_pkpd.report.number import with_unit
from imak_pkpd.report.run import MissingError, Run

MOST_PANELS = 24
"""Overlays of more parameters than this are in the table only."""

WEAK = 0.2
"""A contraction below this: the posterior is mostly the prior."""


def overlays(run: Run) -> Iterator[Block]:
    """Prior and posterior densities, and the contraction of each parameter."""
    pairs = _pairs(run)
    shown = dict(list(pairs.items())[:MOST_PANELS])
    lines = -(-len(shown) // 3)
    yield figure(
        run,
        "prior-posterior",
        lambda canvas: _draw(canvas, run, shown, lines),
        alt="Prior (grey) and posterior (blue) density of every population parameter.",
        caption="Prior (grey) and posterior (blue). A positive parameter is on a "
        "logarithmic axis. The axis covers the posterior and most of the prior.",
        size=(7.4, 1.9 * lines),
    )
    rows = [
        {
            "parameter": name,
            "prior median": np.median(before),
            "posterior median": np.median(after),
            "contraction": contraction(before, after),
            "shift (prior SDs)": shift(before, after),
        }
        for name, (before, after) in pairs.items()
    ]
    yield Table(
        "contraction",
        "Contraction: 1 - posterior variance / prior variance (of logarithms where the "
        "parameter is positive). Near 1 the data decide, near 0 the prior does.",
        rows,
    )
    weak = [str(row["parameter"]) for row in rows if float(row["contraction"]) < WEAK]
    if weak:
        words = f"The data say little about {', '.join(weak)}: the prior decides there."
        yield Prose(words, "attention")


def power_scaling(run: Run) -> Iterator[Block]:
    """What this report does not hold yet is said, not left out."""
    yield NotRun("Power-scaling of prior and likelihood", "not part of this report")
    yield NotRun("Leave-one-patient-out and Pareto k", "not part of this report")
    yield NotRun("Simulation-based calibration", "not part of this report")


def _pairs(run: Run) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Prior and posterior draws of every scalar that both have."""
    prior, posterior = run.need("prior"), run.need("posterior")
    pairs = {}
    for name in run.parameters["name"]:
        if name not in prior or name not in posterior:
            continue
        before, after = (np.ravel(group[name].values) for group in (prior, posterior))
        if np.ptp(before) > 0 and np.ptp(after) > 0:
            pairs[str(name)] = (before[np.isfinite(before)], after)
    if not pairs:
        raise MissingError("prior and posterior have no parameter in common")
    return pairs


def _draw(
    canvas: Canvas,
    run: Run,
    pairs: dict[str, tuple[np.ndarray, np.ndarray]],
    lines: int,
) -> None:
    grid = canvas.subplots(lines, 3, squeeze=False).ravel()
    for axes, (name, (before, after)) in zip(grid, pairs.items(), strict=False):
        _draw_pair(axes, before, after)
        axes.set_xlabel(with_unit(name, run.facts.unit_of(name)))
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
    for axes in grid[len(pairs) :]:
        axes.set_axis_off()


def _draw_pair(axes: Axes, before: np.ndarray, after: np.ndarray) -> None:
    log = min(before.min(), after.min()) > 0
    before, after = on_scale(before, after)
    low = min(np.quantile(before, 0.05), after.min())
    high = max(np.quantile(before, 0.95), after.max())
    x = np.linspace(low, high, 200)
    shown = np.exp(x) if log else x
    for draws, colour, alpha in ((before, GREY, 0.25), (after, BLUE, 0.35)):
        density = gaussian_kde(draws)(x)
        axes.fill_between(shown, 0, density, color=colour, alpha=alpha, linewidth=0)
        axes.plot(shown, density, color=colour, linewidth=1.2)
    if log:
        log_axis(axes, "x")
    axes.set_ylim(bottom=0)


SECTION = Section(
    "sensitivity",
    "Prior and posterior",
    (Part("Overlay", overlays), Part("Other sensitivity checks", power_scaling)),
)
