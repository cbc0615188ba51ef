"""A decision as JSON and as a table: the same numbers as on the screen."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from imak_pkpd.decide.boin12 import INDEPENDENT, Scored, ranks
from imak_pkpd.decide.courses import Courses
from imak_pkpd.decide.decision import DoseDecision
from imak_pkpd.decide.notice import NOTICE
from imak_pkpd.decide.optimum import Optimum
from imak_pkpd.decide.seen import Range
from imak_pkpd.decide.sensitivity import Otherwise
from imak_pkpd.decide.table import Row
from imak_pkpd.decide.words import boin12_sentence, design_words, sentence

UNSEEN = "none: the effect of a dose rests on the model and its priors"


def dose_frame(decision: DoseDecision) -> pd.DataFrame:
    """One row per design, in the order of the table."""
    ranked = ranks([row.boin12 for row in decision.rows])
    return pd.DataFrame(
        [_cells(decision, place, rank) for place, rank in enumerate(ranked)]
    )


def _cells(decision: DoseDecision, place: int, rank: int | None) -> dict[str, Any]:
    near = place in decision.as_good
    own = row_document(decision.rows[place])
    if decision.block.boin12 is not None:
        own["boin12_rank"] = rank
    return {**own, "chosen": place == decision.chosen, "as_good": near}


def row_document(row: Row) -> dict[str, Any]:
    """One design with all its numbers."""
    low, high = row.utility_interval
    made = {
        "design": design_words(row),
        "layout": row.layout.words,
        **row.amounts,
        "admissible": row.admissible,
        "why_not": row.why_not,
        "utility": row.utility,
        "utility_se": row.utility_se,
        "utility_q05": low,
        "utility_q95": high,
        "p_best": row.best,
        "expected_loss": row.loss,
        **_limits(row),
        **_estimands(row),
        **_boin12(row.boin12),
        **{term_key(i): value for i, value in enumerate(row.terms)},
        "unsolved": row.failed,
        "extrapolated": ", ".join(row.extrapolated),
    }
    return _plain(made)


def _limits(row: Row) -> dict[str, float]:
    return {
        f"limit {name}{key}": value
        for name, each in row.limits.items()
        for key, value in (("", each.mean), (" se", each.se), (" broken", each.broken))
    }


def _boin12(found: Scored | None) -> dict[str, float]:
    return (
        {} if found is None else {f"boin12_{n}": v for n, v in found._asdict().items()}
    )


def term_key(number: int) -> str:
    """The column of the mean of a summand of the utility, as it is added."""
    return f"utility_term_{number + 1}"


def _estimands(row: Row) -> dict[str, float]:
    made: dict[str, float] = {}
    for name, mean in row.means.items():
        low, high = row.intervals[name]
        made |= {name: mean, f"{name} se": row.errors[name]}
        made |= {f"{name} q05": low, f"{name} q95": high}
    for name, (low, middle, high) in row.spread.items():
        made |= {f"{name} patients q05": low, f"{name} patients q50": middle}
        made |= {f"{name} patients q95": high}
    return made


def dose_document(decision: DoseDecision) -> dict[str, Any]:
    """All of a decision; what does not exist is null."""
    frame = dose_frame(decision)
    return {
        "notice": NOTICE,
        "decision": decision.block.model_dump(mode="json", exclude_none=True),
        "doses_seen": {n: design_range(ends) for n, ends in decision.seen.items()},
        "sentence": sentence(decision),
        "utility_terms": [each.words for each in decision.block.worth.terms],
        "boin12": _boin12_rules(decision),
        "chosen": _of(frame, decision.chosen),
        "second": _of(frame, decision.second),
        "p_wrong_by_margin": _number(decision.wrong),
        "optimum": _optimum(decision.optimum),
        "other_utilities": [_other(each, frame) for each in decision.utilities],
        "other_priors": [_other(each, frame) for each in decision.priors],
        "solver_error": decision.error,
        "courses": _courses(decision.courses, list(decision.block.amount)),
        "table": [_plain(row) for row in frame.to_dict("records")],
    }


def _boin12_rules(decision: DoseDecision) -> dict[str, Any] | None:
    rules = decision.block.boin12
    if rules is None:
        return None
    return {
        "sentence": boin12_sentence(decision),
        "u_lowest": rules.lowest,
        "u_b": rules.benchmark,
        "assumption": INDEPENDENT,
    }


def design_range(ends: Range | None) -> str | list[float]:
    """Least and most of a dose that was seen, or that none was."""
    return UNSEEN if ends is None else list(ends)


def _of(frame: pd.DataFrame, place: int | None) -> dict[str, Any] | None:
    return None if place is None else _plain(frame.iloc[place].to_dict())


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): _number(value) for name, value in row.items()}


def _number(value: Any) -> Any:
    """As JSON has it: no NaN, no NumPy."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _optimum(found: Optimum | None) -> dict[str, Any] | None:
    if found is None:
        return None
    made = found._asdict()
    made["amounts"] = found.amounts.tolist()
    made["amounts_se"] = found.amounts_se.tolist()
    return made


def _courses(found: Courses | None, doses: list[str]) -> list[dict[str, Any]]:
    """One entry per output and design: times, patients and the median's interval."""
    if found is None:
        return []
    return [
        {
            "output": name,
            "unit": found.units[name],
            "time_unit": found.units["time"],
            "amounts": dict(zip(doses, amounts.tolist(), strict=True)),
            "time": found.time[name].tolist(),
            "patients": [[_number(x) for x in row] for row in course.patients],
            "median": [[_number(x) for x in row] for row in course.median],
        }
        for amounts, design in zip(found.amounts, found.found, strict=True)
        for name, course in design.items()
    ]


def _other(each: Otherwise, frame: pd.DataFrame) -> dict[str, Any]:
    best = None if each.best is None else str(frame["design"].iloc[each.best])
    return {"change": each.change, "best": best, "loss": _number(each.loss)}
