"""What is said of a decision: the recommendation, the doses seen, BOIN12's rules."""

from collections.abc import Mapping, Sequence

from imak_pkpd.choice import Boin12Block
from imak_pkpd.decide.boin12 import Scored, ranks, rule_words
from imak_pkpd.decide.decision import DoseDecision
from imak_pkpd.decide.table import Row

MOST_NAMED = 6
"""More designs than this are counted in a sentence: the table has them by name."""


def sentence(decision: DoseDecision) -> str:
    """What is recommended, what comes next, and how likely that is wrong."""
    if decision.chosen is None:
        return f"No design qualifies: {_least_broken(decision)}."
    row, margin = decision.rows[decision.chosen], decision.block.margin
    said = (
        f"Recommended: {design_words(row)} (expected utility {row.utility:.3g} ± "
        f"{row.utility_se:.1g}); another design is better by more than {margin:g} with "
        f"probability {decision.wrong:.2g}"
    )
    if decision.second is not None:
        other = decision.rows[decision.second]
        said += f"; next best: {design_words(other)} ({other.utility:.3g})"
    if row.extrapolated:
        said += f"; beyond the doses seen: {', '.join(row.extrapolated)}"
    return f"{said}."


def design_words(row: Row) -> str:
    """A design in words: amounts, then times and groups."""
    amounts = (f"{name} {amount:.3g}" for name, amount in row.amounts.items())
    return ", ".join([*amounts, *([row.layout.words] if row.layout.words else [])])


def seen_words(doses: Mapping[str, str | Sequence[float]]) -> str:
    """The least and the most of each dose that data know, or that none does."""
    said = (f"{name}: {_ends(ends)}" for name, ends in doses.items())
    return f"Doses seen in the data: {'; '.join(said) or 'no dose is named'}."


def _ends(seen: str | Sequence[float]) -> str:
    return seen if isinstance(seen, str) else f"{seen[0]:.3g} to {seen[1]:.3g}"


def _least_broken(decision: DoseDecision) -> str:
    """The limits that no design keeps, or that none keeps together."""
    limits = decision.block.limit
    never = [
        f"{name} is at least {min(row.limits[name].mean for row in decision.rows):.3g}"
        for name in limits
        if not any(row.limits[name].holds for row in decision.rows)
    ]
    return "; ".join(never) or "every design breaks one of the limits"


def boin12_sentence(decision: DoseDecision) -> str:
    """Which designs BOIN12 admits and finds most desirable; empty if it is not asked.

    It replaces nothing: the recommendation stays that of the utility and the limits.
    """
    rules = decision.block.boin12
    if rules is None:
        return ""
    admitted = [row for row in decision.rows if row.boin12 and row.boin12.admissible]
    said = (
        f"BOIN12 ({' and '.join(rule_words(rules))}): {_admitted(decision, admitted)}"
    )
    place = most_desirable(decision.rows)
    return said if place is None else f"{said} {_most(decision, rules, place)}"


def most_desirable(rows: Sequence[Row]) -> int | None:
    """The place of the design that BOIN12 ranks first; None where it admits none."""
    ranked = ranks([row.boin12 for row in rows])
    return ranked.index(1) if 1 in ranked else None


def _admitted(decision: DoseDecision, admitted: Sequence[Row]) -> str:
    """How many designs are admissible by it, by name where they are few."""
    few = 0 < len(admitted) <= MOST_NAMED
    named = f" ({'; '.join(design_words(row) for row in admitted)})" if few else ""
    return f"{len(admitted)} of {len(decision.rows)} designs are admissible{named}."


def _most(decision: DoseDecision, rules: Boin12Block, place: int) -> str:
    row = decision.rows[place]
    assert row.boin12 is not None  # it is the first of those that are ranked
    said = f"Most desirable: {design_words(row)}, {_desirable(rules, row.boin12)}"
    if place == decision.chosen:
        return f"{said}; it is the recommended design too."
    why = f" (it does not keep: {row.why_not})" if row.why_not else ""
    return f"{said}{why}; the recommendation by utility and limits does not follow it."


def _desirable(rules: Boin12Block, found: Scored) -> str:
    return (
        f"where P(mean utility > {rules.benchmark:.4g} of 100) is "
        f"{found.desirability:.2g} ± {found.desirability_se:.1g}"
    )
