"""Random effects: their distribution, covariates, and how they go together."""

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from scipy.stats import norm, spearmanr

from imak_pkpd.check.goodness import stacked
from imak_pkpd.report.blocks import Block, Part, Prose, Section, Table
from imak_pkpd.report.figure import BLUE, GREY, PALE, figure, reference_line
from imak_pkpd.report.run import MissingError, Run

FEW_LEVELS = 5
"""A covariate with at most this many distinct values is drawn as categories."""

FEWEST_PATIENTS = 5
"""A rank correlation of fewer patients says nothing."""


def effects(run: Run) -> dict[str, np.ndarray]:
    """Posterior mean of eta by parameter, one value per patient."""
    posterior = run.need("posterior", "subject")
    found = {
        str(name).removeprefix("eta_"): stacked(run.tree, str(name), "posterior")
        for name, variable in posterior.data_vars.items()
        if str(name).startswith("eta_") and "subject" in variable.dims
    }
    if not found:
        raise MissingError("the model has no random effects")
    return {
        name: draws.mean(axis=0) for name, draws in found.items() if draws.ndim == 2
    }


def distribution(run: Run) -> Iterator[Block]:
    """Posterior means of eta against the estimated normal distribution."""
    eta = effects(run)
    columns = min(len(eta), 4)
    lines = -(-len(eta) // columns)
    yield figure(
        run,
        "random-effects-spread",
        lambda canvas: _draw_distributions(canvas, run, eta, lines, columns),
        alt="Histograms of the patients' random effects (posterior means) with the "
        "normal density of the estimated SD.",
        caption="Posterior means of the random effects on their own scale; line: "
        "normal density with the median omega. Means shrink towards 0 where a "
        "patient's data say little, so a narrower histogram is no fault.",
        size=(7.4, 2.5 * lines),
    )


def _draw_distributions(
    canvas: Canvas, run: Run, eta: dict[str, np.ndarray], lines: int, columns: int
) -> None:
    grid = canvas.subplots(lines, columns, squeeze=False).ravel()
    for axes, (name, value) in zip(grid, eta.items(), strict=False):
        axes.hist(value, bins="sturges", density=True, color=BLUE, alpha=0.45)
        axes.plot(value, np.zeros_like(value), "|", color=BLUE, markersize=7)
        _draw_normal(axes, run, name)
        axes.set_xlabel(f"eta of {name}")
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
    for axes in grid[len(eta) :]:
        axes.set_axis_off()


def _draw_normal(axes: Axes, run: Run, name: str) -> None:
    posterior = run.need("posterior")
    if f"omega_{name}" not in posterior:
        return
    omega = float(posterior[f"omega_{name}"].median())
    if omega > 0:
        x = np.linspace(-3 * omega, 3 * omega, 101)
        axes.plot(x, norm.pdf(x, scale=omega), color=GREY)


def covariates(run: Run) -> Iterator[Block]:
    """Random effects against covariates: a trend says that an effect is missing."""
    eta, given = effects(run), run.covariates
    varied = {name: x for name, x in given.items() if len(np.unique(x)) > 1}
    if not varied:
        yield Prose("The data have no covariate that differs between patients.")
        return
    rows = []
    for k, (column, x) in enumerate(varied.items(), 1):
        yield figure(
            run,
            f"covariate-{k}",
            lambda canvas, column=column, x=x: _draw_covariate(  # type: ignore[misc]
                canvas, eta, column, x
            ),
            alt=f"Random effects of every parameter against {column}.",
            caption=f"Random effects (posterior means) against {column}.",
            size=(7.4, 2.3 * -(-len(eta) // 4)),
        )
        for name, value in eta.items():
            if len(x) >= FEWEST_PATIENTS and np.ptp(value) > 0:
                found = spearmanr(x, value)
                row = {"covariate": column, "random effect of": name}
                rows.append(row | {"Spearman rho": found.statistic, "p": found.pvalue})
    if rows:
        yield Table(
            "covariate-correlations",
            "Rank correlation with each covariate. One in twenty has p < 0.05 by "
            "chance; a covariate already in the model should show none.",
            rows,
        )


def _draw_covariate(
    canvas: Canvas, eta: dict[str, np.ndarray], column: str, x: np.ndarray
) -> None:
    columns = min(len(eta), 4)
    lines = -(-len(eta) // columns)
    grid = canvas.subplots(lines, columns, squeeze=False).ravel()
    for axes, (name, value) in zip(grid, eta.items(), strict=False):
        reference_line(axes)
        levels = np.unique(x)
        if len(levels) <= FEW_LEVELS:
            _draw_levels(axes, levels, x, value)
        else:
            axes.plot(x, value, "o", color=BLUE, alpha=0.7, markersize=3.5)
        axes.set_xlabel(column)
        axes.set_ylabel(f"eta of {name}")
    for axes in grid[len(eta) :]:
        axes.set_axis_off()


def _draw_levels(
    axes: Axes, levels: np.ndarray, x: np.ndarray, value: np.ndarray
) -> None:
    for place, level in enumerate(levels):
        inside = value[x == level]
        spread = np.linspace(-0.12, 0.12, len(inside)) if len(inside) > 1 else [0.0]
        axes.plot(place + np.asarray(spread), inside, "o", color=BLUE, markersize=3.5)
        ends = (place - 0.25, place + 0.25)
        axes.plot(ends, [np.median(inside)] * 2, color=GREY)
    axes.set_xticks(range(len(levels)), [f"{level:g}" for level in levels])
    axes.set_xlim(-0.5, len(levels) - 0.5)


def correlation(run: Run) -> Iterator[Block]:
    """Random effects against each other."""
    eta = effects(run)
    if len(eta) < 2:
        yield Prose("There is one random effect: nothing to correlate.")
        return
    yield figure(
        run,
        "random-effects-pairs",
        lambda canvas: _draw_pairs(canvas, eta),
        alt="Each pair of random effects against each other, one dot per patient.",
        caption="Pairs of random effects (posterior means). A correlation that the "
        "model leaves out would show as a slope.",
        size=(7.4, 7.4 * min(1.0, (len(eta) - 1) / 3)),
    )
    names = list(eta)
    rows = [
        {
            "between": a,
            "and": b,
            "of posterior means (Pearson r)": np.corrcoef(eta[a], eta[b])[0, 1],
            **_estimated(run, a, b),
        }
        for i, a in enumerate(names)
        for b in names[i + 1 :]
        if np.ptp(eta[a]) > 0 and np.ptp(eta[b]) > 0
    ]
    yield Table(
        "random-effects-correlation",
        "Correlation of random effects; the model's own where it has one (posterior "
        "median, 95 % interval).",
        rows,
    )


def _estimated(run: Run, a: str, b: str) -> dict[str, float]:
    """The model's correlation of two effects; NaN where it has none."""
    posterior = run.need("posterior")
    ends = np.full(3, np.nan)
    for name in (f"corr_{a}_{b}", f"corr_{b}_{a}"):
        if name in posterior:
            ends = np.quantile(posterior[name].values, (0.5, 0.025, 0.975))
    return dict(zip(("in the model", "2.5 %", "97.5 %"), ends, strict=True))


def _draw_pairs(canvas: Canvas, eta: dict[str, np.ndarray]) -> None:
    names = list(eta)
    size = len(names) - 1
    grid = canvas.subplots(size, size, squeeze=False, sharex="col", sharey="row")
    for line in range(size):
        for column in range(size):
            axes = grid[line, column]
            if column > line:
                axes.set_axis_off()
                continue
            x, y = names[column], names[line + 1]
            axes.axhline(0, color=PALE, linewidth=0.8, zorder=0)
            axes.axvline(0, color=PALE, linewidth=0.8, zorder=0)
            axes.plot(eta[x], eta[y], "o", color=BLUE, alpha=0.7, markersize=3.5)
            if line == size - 1:
                axes.set_xlabel(f"eta of {x}")
            if column == 0:
                axes.set_ylabel(f"eta of {y}")


SECTION = Section(
    "random-effects",
    "Random effects",
    (
        Part("Distribution", distribution),
        Part("Against covariates", covariates),
        Part("Correlation", correlation),
    ),
)
