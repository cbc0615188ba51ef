"""The dose: what was chosen, among what, how surely, and what would change it."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from imak_pkpd.decide.store import ANSWERS
from imak_pkpd.decide.words import seen_words
from imak_pkpd.report.answers import answers_of
from imak_pkpd.report.blocks import Block, Light, Part, Prose, Section, Table
from imak_pkpd.report.dose_courses import courses_figure
from imak_pkpd.report.figure import BLUE, GREY, PALE, SERIES, figure, log_axis
from imak_pkpd.report.run import Run

Document = Mapping[str, Any]
Design = Mapping[str, Any]

KEPT_TOGETHER = (
    "Every design is computed with the same draws and the same virtual patients, so a "
    "difference between two designs is surer than either. Intervals are over draws "
    "(what is not known of the parameters); “patients” are 5, 50 and 95 % of patients."
)


def recommendation(run: Run) -> Iterator[Block]:
    """The sentence, on what it rests, and what it is worth."""
    for document in _decisions(run):
        yield from said(document)
        seen = seen_words(document["doses_seen"])
        yield Prose(f"Utility: {document['decision']['utility']}. {seen}")
        yield Prose(
            "Largest error of a mean utility by the solver, against the adaptive "
            f"reference: {document['solver_error']:.1g}. {KEPT_TOGETHER}"
        )


def said(document: Document) -> Iterator[Block]:
    """What a decision says itself, BOIN12's sentence and the notice beside."""
    yield Prose(document["sentence"], "pass" if document["chosen"] else "attention")
    if rules := document.get("boin12"):
        yield Prose(f"{rules['sentence']} {rules['assumption']}")
    yield Prose(document["notice"])


def designs(run: Run) -> Iterator[Block]:
    """One row per design, and the picture."""
    for number, document in enumerate(_decisions(run), 1):
        rows = [_cells(row, document) for row in document["table"]]
        yield Table(
            f"doses-{number}",
            "Designs. Loss: of expected utility against the best design of each draw. "
            "“pass”: chosen; “attention”: not admissible, or beyond the doses seen.",
            rows,
            [_light(row) for row in document["table"]],
        )
        if document["chosen"] and document["decision"].get("amount"):
            yield response_figure(run, f"dose-response-{number}", document)
        if document["courses"]:
            yield courses_figure(run, f"dose-courses-{number}", document["courses"])


def changes(run: Run) -> Iterator[Block]:
    """Which utilities, priors and models would have chosen otherwise."""
    for number, document in enumerate(_decisions(run), 1):
        changed = [*document["other_utilities"], *document["other_priors"]]
        if changed:
            yield Table(
                f"dose-changes-{number}",
                "Other weights of the utility, and priors raised to a power (0.5: "
                "wider, 2: narrower), by weights of the same draws: what would be "
                "best then, and what the chosen design loses.",
                [_change(each) for each in changed],
                [_moved(each, document) for each in changed],
                folded=True,
            )
        if document["other_runs"]:
            yield Table(
                f"dose-elsewhere-{number}",
                "The same choice under other models.",
                [_elsewhere(each) for each in document["other_runs"]],
            )


def _decisions(run: Run) -> list[dict[str, Any]]:
    return answers_of(run, ANSWERS, "no dose was chosen: `imak dose RUN`")


def _cells(row: Design, document: Document) -> dict[str, object]:
    limits = document["decision"].get("limit", {})
    return {
        "design": row["design"],
        **{name: row[name] for name in _estimands(row)},
        **{f"limit {name}": row[f"limit {name}"] for name in limits},
        **{f"P({name} broken)": row[f"limit {name} broken"] for name in limits},
        "utility": row["utility"],
        "MC error": row["utility_se"],
        "5 %": row["utility_q05"],
        "95 %": row["utility_q95"],
        "P(best)": row["p_best"],
        "loss": row["expected_loss"],
        **_boin12(row, document["decision"].get("boin12")),
        "not admissible": row["why_not"],
        "extrapolated": row["extrapolated"],
    }


def _boin12(row: Design, rules: Mapping[str, Any] | None) -> dict[str, object]:
    """BOIN12's columns; the rank is empty where it does not admit the design."""
    if rules is None:
        return {}
    return {
        f"P({rules['toxicity']} > {rules['phi_t']:g})": row["boin12_toxic"],
        f"P({rules['efficacy']} < {rules['phi_e']:g})": row["boin12_futile"],
        "BOIN12 desirability": row["boin12_desirability"],
        "BOIN12 rank": "" if row["boin12_rank"] is None else int(row["boin12_rank"]),
    }


def _estimands(row: Design) -> list[str]:
    ends = " se"
    named = [key.removesuffix(ends) for key in row if key.endswith(ends)]
    return [name for name in named if not name.startswith("limit ")]


def _light(row: Design) -> Light:
    if row["chosen"]:
        return "pass"
    return "note" if row["admissible"] and not row["extrapolated"] else "attention"


def _change(each: Mapping[str, Any]) -> dict[str, object]:
    loss = np.nan if each["loss"] is None else each["loss"]
    return {
        "with": each["change"],
        "best": each["best"] or "too few draws tell",
        "ours loses": loss,
    }


def _moved(each: Mapping[str, Any], document: Document) -> Light:
    return "note" if each["best"] == document["chosen"]["design"] else "attention"


def _elsewhere(each: Mapping[str, Any]) -> dict[str, object]:
    best, ours = each["best"], each["ours"]
    return {
        "model": each["problem"],
        "best": best["design"] if best else "no design qualifies",
        "utility": best["utility"] if best else np.nan,
        "utility of ours": ours["utility"] if ours else np.nan,
        "ours is not admissible": ours["why_not"] if ours else "",
    }


def response_figure(run: Run, name: str, document: Document) -> Block:
    """Estimands, utility and P(best) along the amounts of the first dose."""
    dose, rows = _along(document)
    return figure(
        run,
        name,
        lambda canvas: _draw(canvas, dose, rows, document),
        alt=f"Estimands and expected utility against the amount of {dose}.",
        caption=f"Above: means over patients against the amount of {dose}, 5–95 % of "
        "draws. Below: expected utility, its interval over draws, and (grey) the share "
        "of draws in which a design is best. Shaded: not admissible. Dotted: chosen.",
        size=(7.4, 5.6),
    )


def _along(document: Document) -> tuple[str, list[Design]]:
    """The first amount, and the designs that differ from the chosen one in it alone.

    Where other amounts vary, each row is of those nearest to the chosen ones.
    """
    chosen, names = document["chosen"], list(document["decision"]["amount"])
    rows = [row for row in document["table"] if row["layout"] == chosen["layout"]]
    for name in names[1:]:
        shown = np.array([row[name] for row in rows])
        nearest = shown[np.argmin(np.abs(np.log(shown / chosen[name])))]
        rows = [row for row in rows if row[name] in (nearest, chosen[name])]
    return names[0], sorted(rows, key=lambda row: row[names[0]])


def _draw(canvas: Canvas, dose: str, rows: list[Design], document: Document) -> None:
    above, below = canvas.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    x = np.array([row[dose] for row in rows])
    chances = [n for n in _estimands(rows[0]) if _is_chance(n, rows)]
    for name, colour in zip(chances, SERIES, strict=False):
        _band(above, x, rows, f"{name} ", colour)
        above.plot(x, [row[name] for row in rows], color=colour, label=name)
    above.set_ylim(0, 1)
    above.set_ylabel("mean over patients")
    above.legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
    _band(below, x, rows, "utility_", BLUE)
    below.plot(x, [row["utility"] for row in rows], "o-", color=BLUE, markersize=3)
    beside = below.twinx()
    beside.plot(x, [row["p_best"] for row in rows], color=GREY, linewidth=1)
    beside.set_ylim(0, 1)
    beside.set_ylabel("P(best)")
    below.set_ylabel("utility")
    below.set_xlabel(dose)
    for axes in (above, below):
        _marks(axes, dose, rows, document)
    log_axis(below, "x")


def _is_chance(name: str, rows: list[Design]) -> bool:
    """Whether all means are between 0 and 1, so that they share one axis."""
    return all(0.0 <= row[name] <= 1.0 for row in rows)


def _band(
    axes: Axes, x: np.ndarray, rows: list[Design], name: str, colour: str
) -> None:
    """The interval over draws."""
    low, high = ([row[f"{name}{end}"] for row in rows] for end in ("q05", "q95"))
    axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)


def _marks(axes: Axes, dose: str, rows: list[Design], document: Document) -> None:
    """The chosen amount, designs that are not admissible, and the doses seen."""
    x = np.array([row[dose] for row in rows])
    edges = np.sqrt(x[1:] * x[:-1])
    starts, ends = np.append(x[0], edges), np.append(edges, x[-1])
    for start, end, row in zip(starts, ends, rows, strict=True):
        if not row["admissible"]:
            axes.axvspan(start, end, color=PALE, alpha=0.5, linewidth=0, zorder=0)
    axes.axvline(document["chosen"][dose], color=GREY, linestyle=":", linewidth=1.2)
    seen = document["doses_seen"].get(dose)
    if seen is not None and not isinstance(seen, str):
        axes.plot(seen, [0, 0], "|", color=GREY, transform=axes.get_xaxis_transform())


SECTION = Section(
    "dose",
    "Dose",
    (
        Part("Recommendation", recommendation),
        Part("Designs", designs),
        Part("What would change it", changes),
    ),
)
