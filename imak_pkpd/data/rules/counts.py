"""Rules of what is counted or graded: DV, how many were scored, how much was searched.

Each is called with a table whose `expectations` are known.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from imak_pkpd.data.censoring import INTERVAL
from imak_pkpd.data.expectations import ExpectedCount
from imak_pkpd.data.finding import Finding
from imak_pkpd.data.table import Table

Rows = Bool[np.ndarray, " row"]
Values = Float[np.ndarray, " row"]

KIND = {
    "trials": "the number of positive ones",
    "exposure": "the number of events",
    "answer": "0 (no) or 1 (yes)",
    "grade": "a grade",
}


def _counted(table: Table, *kinds: str) -> Iterator[tuple[Rows, ExpectedCount]]:
    """The rows of each output that is counted in one of these ways."""
    for place, output in enumerate(table.outputs):
        if output.count is not None and output.count.kind in kinds:
            yield table.output == place, output.count


def _largest(table: Table) -> Values:
    """DV, or the upper limit of a censored row."""
    return table.censored.value


def _fractional(values: Values) -> Rows:
    return ~np.isnan(values) & ((values < 0) | (values != np.round(values)))


def _outside(table: Table, largest: Values) -> Rows:
    """Rows with a whole number that is beyond the largest one."""
    return ~_fractional(_largest(table)) & (_largest(table) > largest)


def not_whole(table: Table) -> Iterator[Finding]:
    """DV-WHOLE: a fraction, a percentage or a negative number where a count belongs."""
    interval = table.censored.censor == INTERVAL
    for rows, count in _counted(table, *KIND):
        lower = interval & _fractional(table.censored.lower)
        yield from table.find(
            rows & (_fractional(_largest(table)) | lower),
            "DV-WHOLE",
            "DV",
            f"{KIND[count.kind]} was expected: a whole number from 0 on",
            "write the count itself, not a share or a percentage; in a censored row "
            "the count that is its limit",
        )


def beyond_trials(table: Table) -> Iterator[Finding]:
    """DV-TRIALS: more positive ones than were scored."""
    for rows, count in _counted(table, "trials"):
        scored = table.per_row(count.of)
        for row in np.flatnonzero(rows & table.sound & _outside(table, scored)):
            yield table.finding(
                int(row),
                "DV-TRIALS",
                "DV",
                f"at most {scored[row]:g} were expected: so many were scored",
                f"correct DV or {_named(count)}",
            )


def unknown_answer(table: Table) -> Iterator[Finding]:
    """DV-ANSWER: neither 0 nor 1."""
    for rows, _ in _counted(table, "answer"):
        yield from table.find(
            rows & _outside(table, np.ones(len(table.line))),
            "DV-ANSWER",
            "DV",
            "0 (no) or 1 (yes) was expected",
            "write 0 or 1; a grade needs error = 'ordinal'",
        )


def unknown_grade(table: Table) -> Iterator[Finding]:
    """DV-GRADE: a grade above the highest one that the fit names."""
    for rows, count in _counted(table, "grade"):
        yield from table.find(
            rows & _outside(table, table.per_row(count.of)),
            "DV-GRADE",
            "DV",
            f"a grade from 0 to {count.of:g} was expected",
            "correct the grade, or name the model's outputs up to it in at_least",
        )


def no_trials(table: Table) -> Iterator[Finding]:
    """TRIALS-COUNT: how many were scored is missing, zero or a fraction."""
    for rows, count in _counted(table, "trials"):
        scored = table.per_row(count.of)
        yield from table.find(
            rows & ~((scored >= 1) & (scored == np.round(scored))),
            "TRIALS-COUNT",
            str(count.of),
            "how many were scored: a whole number from 1 on was expected",
            "fill in the number; a sample that was not scored is no observation "
            "(MDV = 1)",
        )


def no_exposure(table: Table) -> Iterator[Finding]:
    """EXPOSURE: how much was searched is missing, zero or negative."""
    for rows, count in _counted(table, "exposure"):
        yield from table.find(
            rows & ~(table.per_row(count.of) > 0),
            "EXPOSURE",
            str(count.of),
            "how much was searched: a number above 0 was expected",
            "fill in the number; a sample that was not searched is no observation "
            "(MDV = 1)",
        )


def _named(count: ExpectedCount) -> str:
    return f"column {count.of}" if isinstance(count.of, str) else "trials of the output"
