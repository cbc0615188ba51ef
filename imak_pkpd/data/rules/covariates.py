"""Rules of covariates and of further columns a fit reads."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool

from imak_pkpd.data.carry import fill_gaps, neighbours
from imak_pkpd.data.column import Column
from imak_pkpd.data.finding import Finding
from imak_pkpd.data.table import Table

Rows = Bool[np.ndarray, " row"]


def _declared(table: Table) -> Iterator[tuple[str, str, Column]]:
    for name, rule in table.block.covariates.items():
        yield name, rule, table.covariates[name]


def _valueless(table: Table, column: Column) -> Rows:
    """Rows of subjects that have no value at all."""
    before, after = neighbours(~np.isnan(column.values), table.run)
    return (before < 0) & (after < 0)


def _starts(table: Table) -> Rows:
    return np.diff(table.run, prepend=-1) != 0


def _ends(table: Table) -> Rows:
    return np.diff(table.run, append=np.max(table.run, initial=0) + 1) != 0


def changing_constant(table: Table) -> Iterator[Finding]:
    """COV-CONSTANT: a covariate declared constant changes within a subject."""
    for name, rule, column in _declared(table):
        values = fill_gaps(column.values, table.number("TIME"), table.run, "locf")
        change = np.diff(values, prepend=np.nan)
        yield from table.find(
            (rule == "constant") & ~np.isnan(change) & (change != 0) & ~_starts(table),
            "COV-CONSTANT",
            name,
            "it is declared constant and differs from the record above",
            "declare it locf, nocb or linear, or correct the value",
        )


def covariate_missing(table: Table) -> Iterator[Finding]:
    """COV-MISSING: a subject without any value of a covariate."""
    for name, _, column in _declared(table):
        yield from table.find(
            _valueless(table, column) & _starts(table),
            "COV-MISSING",
            name,
            "the subject has no value of this covariate",
            "fill in a value, or exclude the subject with a reason",
        )


def missing_at_first(table: Table) -> Iterator[Finding]:
    """COV-FIRST: missing at the subject's first record, carried back."""
    for name, _, column in _declared(table):
        gap = np.isnan(column.values) & ~_valueless(table, column)
        yield from table.find(
            gap & _starts(table),
            "COV-FIRST",
            name,
            "the subject's first value is carried back to here",
            "fill in the value at the first record",
            "warning",
        )


def missing_at_last(table: Table) -> Iterator[Finding]:
    """COV-LAST: a nocb or linear covariate missing at the last record."""
    for name, rule, column in _declared(table):
        gap = np.isnan(column.values) & ~_valueless(table, column)
        yield from table.find(
            (rule in ("nocb", "linear")) & gap & _ends(table),
            "COV-LAST",
            name,
            "the subject's last value is carried forward to here",
            "fill in the value at the last record",
            "warning",
        )


def linear_words(table: Table) -> Iterator[Finding]:
    """COV-WORDS: a covariate of words cannot be carried linearly."""
    for name, rule, column in _declared(table):
        if rule == "linear" and column.levels:
            message = (
                f"{name} is declared linear and holds the word '{column.levels[0]}'"
            )
            hint = "declare it constant, locf or nocb"
            yield table.of_file("COV-WORDS", name, message, hint, "error")


def gap_in_column(table: Table) -> Iterator[Finding]:
    """COLUMN-GAP: a column the fit reads has no value on an observation."""
    for name in table.extra:
        yield from table.find(
            (name not in table.count_columns)
            & table.observed
            & np.isnan(table.covariates[name].values),
            "COLUMN-GAP",
            name,
            "the fit reads this column: every observation needs a value",
            "fill in the value",
        )
