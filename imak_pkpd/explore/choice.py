"""A stored decision with a design and weights of one's own, without a new solve."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imak_pkpd.decide.reweighed import Reweighed, reweighed
from imak_pkpd.report.blocks import Block, Light, Prose, Table
from imak_pkpd.report.run import Run
from imak_pkpd.report.sections.dose import response_figure, said

Document = Mapping[str, Any]

WEIGHTS = (0.0, 3.0, 0.05)
"""From, to, and the steps between: what a summand of the utility may be multiplied by;
its sensitivity in the report is at half and twice."""

STORED = (
    "Expected utilities under these weights are sums of the stored means of the "
    "summands; nothing is solved. Limits do not depend on weights. P(best), expected "
    "loss and Monte Carlo errors are those of the stored utility: for others write "
    "the weights into [decision] and run `imak dose` again."
)


def designs(document: Document) -> list[str]:
    """The designs in words, in the order of the table."""
    return [row["design"] for row in document["table"]]


def chosen(document: Document) -> str:
    """The design to begin with: the recommended one, or the first."""
    return (document["chosen"] or document["table"][0])["design"]


def stored(run: Run, document: Document) -> Iterator[Block]:
    """What the decision says itself, and its picture."""
    yield from said(document)
    if document["chosen"] and document["decision"].get("amount"):
        yield response_figure(run, "dose-response", document)


def weighed(
    document: Document, design: str, weights: Sequence[float]
) -> Iterator[Block]:
    """The table under these weights, and how the design stands in it."""
    try:
        found = reweighed(document, weights)
    except ValueError as error:
        yield Prose(f"{error}.", "attention")
        return
    place = designs(document).index(design)
    yield Prose(_stands(document, found, place), _light(document, found, place))
    rows = [_row(row, found, i) for i, row in enumerate(document["table"])]
    lights = [_light(document, found, i) for i in range(len(rows))]
    caption = "“pass”: best under these weights; “attention”: not admissible."
    yield Table("weighed", caption, rows, lights)
    yield Prose(STORED)


def _stands(document: Document, found: Reweighed, place: int) -> str:
    row = document["table"][place]
    own = f"{row['design']}: expected utility {found.at(place):.3g} under these weights"
    if not row["admissible"]:
        return f"{own}; it is not admissible ({row['why_not']})."
    if found.best in (None, place):
        return f"{own}; no admissible design is better."
    best = designs(document)[found.best]
    return f"{own}; {best} is better by {found.behind(place):.2g}."


def _row(row: Document, found: Reweighed, place: int) -> dict[str, object]:
    limits = {n.removeprefix("limit "): row[n] for n in row if _is_limit(n)}
    return {
        "design": row["design"],
        "utility under these weights": found.at(place),
        "behind the best": found.behind(place),
        "stored utility": row["utility"],
        "MC error": row["utility_se"],
        "P(best), stored": row["p_best"],
        **{f"limit {name}": value for name, value in limits.items()},
        "not admissible": row["why_not"],
        "extrapolated": row["extrapolated"],
    }


def _is_limit(name: str) -> bool:
    """The mean itself, not its error or how likely it is broken."""
    return name.startswith("limit ") and not name.endswith((" se", " broken"))


def _light(document: Document, found: Reweighed, place: int) -> Light:
    if place == found.best:
        return "pass"
    return "note" if document["table"][place]["admissible"] else "attention"
