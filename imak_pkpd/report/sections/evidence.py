"""Evidence: the published facts, what was learned from them, and how firmly."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from imak_pkpd.check.fact_predictive import Predicted, predicted
from imak_pkpd.check.reweighting import (
    Moved,
    Reading,
    added,
    alternatives,
    double_use_of,
    dropped,
    facts_of,
    moved,
)
from imak_pkpd.fit.certificate import K_HAT
from imak_pkpd.report.blocks import Block, Light, Part, Prose, Section, Table
from imak_pkpd.report.figure import BLUE, GREY, ORANGE, figure
from imak_pkpd.report.run import MissingError, Run
from imak_pkpd.report.sections.estimands import definitions

INTERVAL = (0.5, 0.05, 0.95)
"""The median, and the ends of the central 90 % interval."""

SHIFTED = 0.2
"""A mean that moves by more posterior SDs than this depends on one fact or reading."""

FEWEST = 400.0
"""Fewer effective draws than this say too little of another reading."""

BINS = 30


def twice(run: Run) -> Iterator[Block]:
    """What the fit file says twice, in two facts or in a fact and a prior."""
    for words in double_use_of(run.tree):
        yield Prose(run.labels.text(words), "attention")


def facts(run: Run) -> Iterator[Block]:
    """What was published beside what prior and posterior predict."""
    yield from twice(run)
    said = facts_of(run.tree)
    rows = [
        {
            "fact": one.fact,
            "published": one.words,
            "estimand": one.of,
            "cohort": one.cohort,
            "study": said[one.fact].get("study") or "–",
            "used": "yes" if one.used else "no",
            **_levels("prior", one.prior),
            **_levels("posterior", one.posterior),
            "source": run.labels.text(one.source) or "–",
        }
        for one in _predicted(run)
    ]
    yield Table(
        "facts",
        "Published facts, and what a new cohort of the same size would report: median "
        "and central 90 % interval from the prior and from the posterior.",
        rows,
    )


def studies(run: Run) -> Iterator[Block]:
    """Whose outcomes they are."""
    known = run.facts.tables.get("study", {})
    if not known:
        yield Prose("The fit file does not say of which studies its facts are.")
        return
    told = facts_of(run.tree).items()
    rows = [
        {
            "study": name,
            "facts": _joined(f for f, said in told if _is_of(said, name)),
            "may share patients with": _joined(_partners(known, name)),
            "priors set while looking at it": _joined(study.get("informed", ())),
            "source": run.labels.text(study.get("source", "")) or "–",
        }
        for name, study in known.items()
    ]
    yield Table("studies", "Studies, and where they may speak twice.", rows)


def _is_of(said: Mapping[str, Any], study: str) -> bool:
    return said.get("study") == study and not said["alternative_of"]


def _partners(known: Mapping[str, Mapping[str, Any]], name: str) -> Iterator[str]:
    """Studies that may have patients in common with this one, whichever says so."""
    for other, study in known.items():
        if other in known[name].get("overlaps", ()) or name in study.get(
            "overlaps", ()
        ):
            yield other


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names) or "–"


def predictions(run: Run) -> Iterator[Block]:
    """One panel per fact."""
    shown = [one for one in _predicted(run) if one.prior.size and one.posterior.size]
    if not shown:
        raise MissingError("no fact has replicates")
    lines = -(-len(shown) // 3)
    yield figure(
        run,
        "fact-predictions",
        lambda canvas: _draw(canvas, shown, lines),
        alt="Prior and posterior predictive distribution of every published fact, with "
        "what was published.",
        caption="What a new cohort would report: prior (grey), posterior (blue). "
        "Orange: what was published. Agreement is no evidence for the model where "
        "priors were set from the same study.",
        size=(7.4, 2.1 * lines),
    )


def estimand_rows(run: Run, start: str = "") -> list[dict[str, object]]:
    """Prior and posterior of the estimands whose names begin with `start`."""
    before, after = run.need("prior_estimand"), run.need("cohort_estimand")
    words = definitions(run)
    names = [str(name) for name in after.data_vars if name in before]
    return [
        {
            "estimand": name,
            "cohort": str(cohort),
            **_levels("prior", _finite(before[name].sel(cohort=cohort).values)),
            **_levels("posterior", _finite(after[name].sel(cohort=cohort).values)),
            "what it is": words.get(name, "–"),
        }
        for name in names
        if name.startswith(start)
        for cohort in after["cohort"].values
    ]


def learned(run: Run) -> Iterator[Block]:
    """Every estimand before and after the facts."""
    yield Table(
        "cohort-estimands",
        "Mean of each estimand over the virtual patients of a cohort: median and "
        "central 90 % interval of what is not known of that mean.",
        estimand_rows(run),
    )
    yield Prose(
        "Hypotheses of a model, not predictions for a patient. Research use, not a "
        "medical device."
    )


def without(run: Run) -> Iterator[Block]:
    """Every estimand with each fact left out."""
    yield from _readings(
        run, "dropped-facts", dropped(_weighted(run)), "with one fact left out"
    )


def otherwise(run: Run) -> Iterator[Block]:
    """Every estimand with a fact read in another way, or with one more fact."""
    tree = _weighted(run)
    found = [*alternatives(tree), *added(tree)]
    if not found:
        yield Prose("The fit file names no other reading of a fact.")
        return
    yield from _readings(
        run,
        "alternative-readings",
        found,
        "with a fact read in another way, or with a fact that was kept out",
    )


class _Row(NamedTuple):
    """`bounded`: some draws were chosen at random, which bounds every weight."""

    reading: Reading
    moved: Moved
    k_hat: float
    bounded: bool

    @property
    def light(self) -> Light:
        heavy = not self.bounded and self.k_hat > K_HAT
        if self.reading.ess < FEWEST or heavy:
            return "not run"
        return "attention" if abs(self.moved.shift) > SHIFTED else "note"


def _readings(
    run: Run, name: str, readings: Sequence[Reading], how: str
) -> Iterator[Block]:
    """One table, the largest shifts first, and the sentence that sums it up."""
    found = [
        _Row(one, each, one.k_hat, run.weighted)
        for one in readings
        for each in moved(run.tree, one)
    ]
    found.sort(key=lambda row: -abs(np.nan_to_num(row.moved.shift)))
    yield from _summary(found)
    yield Table(
        name,
        f"Cohort means {how}, the largest shift first: mean, central 90 % interval, "
        "Monte Carlo standard error, shift in posterior SDs of the fit. By "
        f"reweighting; “attention”: more than {SHIFTED:g} SD; “not run”: fewer than "
        f"{FEWEST:.0f} effective draws{_tail(run)}: too few to say.",
        [_cells(row) for row in found],
        [row.light for row in found],
    )


def _cells(row: _Row) -> dict[str, object]:
    change, estimand = row.reading.change, row.moved
    return {
        "change": change,
        "estimand": estimand.estimand,
        "cohort": estimand.cohort,
        "mean": estimand.mean,
        "5 %": estimand.low,
        "95 %": estimand.high,
        "SE": estimand.error,
        "shift (SD)": estimand.shift,
        "ESS": round(row.reading.ess),
        "k-hat": row.k_hat,
    }


def _tail(run: Run) -> str:
    """The second limit of weights that nothing bounds."""
    return "" if run.weighted else f", or a k-hat above {K_HAT:g}"


def _summary(rows: Sequence[_Row]) -> Iterator[Block]:
    """What moves, and which readings have too few draws to say."""
    judged = [row for row in rows if row.light != "not run"]
    if judged:
        yield _verdict(judged)
    few = sorted({row.reading.change for row in rows if row.light == "not run"})
    if few:
        yield Prose(f"Too few draws to judge {', '.join(few)}.", "attention")


def _verdict(judged: Sequence[_Row]) -> Prose:
    moving = [row for row in judged if row.light == "attention"]
    if not moving:
        words = f"No cohort mean moves by more than {SHIFTED:g} posterior SD."
        return Prose(words, "pass")
    worst = moving[0]
    return Prose(
        f"{len(moving)} of {len(judged)} cohort means move by more than {SHIFTED:g} "
        f"posterior SD; the most: {worst.moved.estimand} {worst.reading.change}, "
        f"{worst.moved.shift:+.1f} SD.",
        "attention",
    )


def _weighted(run: Run) -> xr.DataTree:
    run.need("refined", "log_weight", "log_proposal", "log_likelihood")
    return run.tree


def _predicted(run: Run) -> list[Predicted]:
    run.need("prior_estimand")
    run.need("cohort_estimand")
    return predicted(run.tree)


def _levels(what: str, drawn: np.ndarray) -> dict[str, float]:
    middle, low, high = (
        np.quantile(drawn, INTERVAL) if drawn.size else (np.nan,) * len(INTERVAL)
    )
    return {f"{what} median": middle, f"{what} 5 %": low, f"{what} 95 %": high}


def _finite(values: np.ndarray) -> np.ndarray:
    flat = np.ravel(values)
    return flat[np.isfinite(flat)]


def _draw(canvas: Canvas, shown: Sequence[Predicted], lines: int) -> None:
    grid = canvas.subplots(lines, 3, squeeze=False).ravel()
    for axes, one in zip(grid, shown, strict=False):
        _draw_fact(axes, one)
    for axes in grid[len(shown) :]:
        axes.set_axis_off()


def _draw_fact(axes: Axes, one: Predicted) -> None:
    edges = _edges(one)
    if _counted(one):
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    for drawn, colour, alpha in ((one.prior, GREY, 0.35), (one.posterior, BLUE, 0.35)):
        heights, _ = np.histogram(drawn, edges)
        share = heights / max(len(drawn), 1)
        axes.stairs(share, edges, color=colour, fill=True, alpha=alpha)
        axes.stairs(share, edges, color=colour, linewidth=1.0)
    axes.axvline(one.reported, color=ORANGE, linewidth=1.6)
    axes.set_title(f"{one.fact}: {one.words}")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _edges(one: Predicted) -> np.ndarray:
    """A bar for every count; equal bins of most of the draws for other numbers."""
    both = np.concatenate([one.prior, one.posterior])
    if _counted(one):
        last = max(both.max(), one.reported)
        return np.arange(min(both.min(), one.reported) - 0.5, last + 1.0)
    low, high = np.quantile(both, (0.005, 0.995))
    return np.linspace(min(low, one.reported), max(high, one.reported), BINS + 1)


def _counted(one: Predicted) -> bool:
    """Whether the fact is a count."""
    both = np.concatenate([one.prior, one.posterior])
    return bool(np.all(both == np.round(both)))


SECTION = Section(
    "evidence",
    "Evidence",
    (
        Part("Published facts", facts),
        Part("Studies", studies),
        Part("Predictions of the facts", predictions),
        Part("What was learned of the estimands", learned),
        Part("Without each fact", without),
        Part("Other readings", otherwise),
    ),
)
