"""The answer of `sample_days` as tables and as sentences: best days first in words."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from imak_pkpd.decide.sample_days import Narrowed, SampleDays
from imak_pkpd.decide.sample_worth import Estimate

MEANING = (
    "reduction: the share of a quantity's variance that the sample is expected to take "
    "away, 1 - E[Var(quantity | sample)] / Var(quantity)"
)
AS_GOOD = 2.0  # Monte Carlo errors below the best day: not told apart from it


def narrowed_frame(made: SampleDays) -> pd.DataFrame:
    """One row per assay, day and quantity; empty cells where nothing varies."""
    words = {each.name: each.definition for each in made.quantities}
    return pd.DataFrame(
        [
            {
                "output": each.output,
                "day": each.day,
                "quantity": each.quantity,
                "reduction": each.reduction.value,
                "se": each.reduction.se,
                "definition": words[each.quantity],
            }
            for each in made.narrowed
        ]
    )


def gained_frame(made: SampleDays) -> pd.DataFrame:
    """One row per assay and day: the gain in utility, and its bound."""
    columns = ["output", "day", "evsi", "se", "bound", "bound_se", "open_designs"]
    rows = [
        (each.output, each.day, *each.gain, *each.bound, each.designs)
        for each in made.gained
    ]
    return pd.DataFrame(rows, columns=columns)


def varying(made: SampleDays) -> list[str]:
    """The quantities that differ between simulated patients."""
    known = {e.quantity for e in made.narrowed if not np.isnan(e.reduction.value)}
    return [each.name for each in made.quantities if each.name in known]


def sentences(made: SampleDays) -> Iterator[str]:
    """The best sample for each quantity, what does not vary, and for the choice."""
    for name in varying(made):
        yield _best_of(made, [e for e in made.narrowed if e.quantity == name])
    alike = [q.name for q in made.quantities if q.name not in varying(made)]
    if alike:
        yield f"The same in (nearly) all simulated patients: {', '.join(alike)}."
    yield made.choice
    if made.evpi is not None and made.gained:
        best = max(made.gained, key=lambda each: each.gain.value)
        most = f"{best.output} on {_on(made, best.day)} gains {plain(best.gain)}"
        if not _told(best.gain):
            most = "no sample gains more than its Monte Carlo error"
        everything = (
            "knowing everything of a patient before the first dose"
            if made.question.patient is None
            else "knowing everything of the patient now"
        )
        yield f"For the utility: {most}; {everything} would gain {plain(made.evpi)}."


def _best_of(made: SampleDays, rows: list[Narrowed]) -> str:
    rows = [each for each in rows if not np.isnan(each.reduction.value)]
    best = max(rows, key=lambda each: each.reduction.value)
    if not _told(best.reduction):
        most = percent(best.reduction)
        return f"{best.quantity}: no sample tells anything (at most {most})."
    near = [
        f"{each.output} on {each.day:g}"
        for each in rows
        if each is not best and _as_good(each.reduction, best.reduction)
    ]
    also = f" (not told apart: {', '.join(near)})" if near else ""
    return (
        f"{best.quantity}: {best.output} on {_on(made, best.day)} takes away most, "
        f"{percent(best.reduction)} of the variance{also}."
    )


def _told(each: Estimate) -> bool:
    """Whether it is more than Monte Carlo error."""
    return each.value > AS_GOOD * each.se


def _as_good(one: Estimate, best: Estimate) -> bool:
    return best.value - one.value <= AS_GOOD * float(np.hypot(one.se, best.se))


def _on(made: SampleDays, day: float) -> str:
    return f"{made.unit} {day:g}"


def percent(each: Estimate) -> str:
    """A share with its Monte Carlo error."""
    return f"{100 * each.value:z.1f} ± {100 * each.se:.1f} %"


def plain(each: Estimate) -> str:
    """A number with its Monte Carlo error; one without error is exact."""
    return f"{each.value:.3g} ± {each.se:.1g}" if each.se else f"exactly {each.value:g}"
