"""Rules of single cells: is this a number, and one that can stand in this column?"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool

from imak_pkpd.data.column import Column
from imak_pkpd.data.finding import Finding
from imak_pkpd.data.number import Fault
from imak_pkpd.data.table import Table


def _columns(table: Table) -> Iterator[tuple[str, Column]]:
    """Every column that is read: standard ones the file has, then covariates."""
    for name, column in table.standard.items():
        if column.faults or table.has(name):
            yield name, column
    used = set(table.names.values())
    for name, column in table.covariates.items():
        if name not in used:
            yield name, column


def _faulty(
    table: Table, faults: tuple[Fault, ...], only: str = "", never: str = ""
) -> Iterator[tuple[str, int]]:
    """Column and row of each cell with one of these faults."""
    for name, column in _columns(table):
        if name != never and only in ("", name):
            for row, fault in column.faults.items():
                if fault in faults:
                    yield name, row


def not_a_number(table: Table) -> Iterator[Finding]:
    """<COLUMN>-NUM: text where a number belongs."""
    for name, row in _faulty(table, ("text",)):
        hint = _number_hint(name, table.cell(row, name))
        yield table.finding(row, f"{name}-NUM", name, "a number was expected", hint)
    for name, row in _faulty(table, ("nan",), never="TIME"):
        hint = "write . or NA for a missing value"
        yield table.finding(row, f"{name}-NUM", name, "a number was expected", hint)


def _number_hint(name: str, cell: str) -> str:
    if name == "DV" and cell[:1] in ("<", ">", "B", "b"):
        return "write the limit into DV and CENS = 1 (below) or -1 (above)"
    if name == "TIME" and ":" in cell:
        return "declare clock and date columns under [data]"
    return "correct the cell, or declare the code under [data] as missing"


def decimal_comma(table: Table) -> Iterator[Finding]:
    """DECIMAL-COMMA: 2,5 for 2.5."""
    for name, row in _faulty(table, ("comma",)):
        yield table.finding(
            row,
            "DECIMAL-COMMA",
            name,
            "a decimal point was expected",
            "write 2.5, not 2,5, and no commas between thousands",
        )


def time_not_finite(table: Table) -> Iterator[Finding]:
    """TIME-FINITE: NaN or inf in TIME."""
    for name, row in _faulty(table, ("nan", "inf"), only="TIME"):
        yield table.finding(
            row, "TIME-FINITE", name, "a finite time was expected", "correct the time"
        )


def beyond_float(table: Table) -> Iterator[Finding]:
    """VALUE-RANGE: infinite, or too large or too small for a float."""
    for name, row in _faulty(table, ("range",)):
        yield _beyond(table, name, row)
    for name, row in _faulty(table, ("inf",), never="TIME"):
        yield _beyond(table, name, row)


def _beyond(table: Table, name: str, row: int) -> Finding:
    return table.finding(
        row,
        "VALUE-RANGE",
        name,
        "a number within 2.3e-308 … 1.8e308 was expected",
        "correct the cell or change the unit",
    )


def calendar_format(table: Table) -> Iterator[Finding]:
    """CLOCK-FORMAT: a declared date or clock that cannot be read."""
    for name, row in _faulty(table, ("clock",)):
        yield table.finding(
            row,
            "CLOCK-FORMAT",
            name,
            "a date 2024-03-01 and a clock time 08:30 were expected",
            "write ISO dates and 24 h clock times",
        )


def id_missing(table: Table) -> Iterator[Finding]:
    """ID-MISSING: a row that belongs to nobody."""
    for row, who in enumerate(table.subject):
        if not who:
            yield table.finding(
                row, "ID-MISSING", "ID", "an ID was expected", "fill in the subject"
            )


def nul_byte(table: Table) -> Iterator[Finding]:
    """NUL-BYTE: a zero byte in an ID (elsewhere it is no number)."""
    for row, who in enumerate(table.subject):
        if "\0" in who:
            yield table.finding(
                row, "NUL-BYTE", "ID", "text was expected", "export the data again"
            )


def time_missing(table: Table) -> Iterator[Finding]:
    """TIME-MISSING: a record without a time."""
    yield from table.find(
        np.isnan(table.number("TIME")),
        "TIME-MISSING",
        "TIME",
        "every record needs a time",
        "fill in the time or remove the row",
    )


def _outside(
    table: Table, name: str, allowed: tuple[int, ...]
) -> Bool[np.ndarray, " r"]:
    values = table.number(name)
    return ~np.isnan(values) & ~np.isin(values, allowed)


def evid_range(table: Table) -> Iterator[Finding]:
    """EVID-RANGE: not one of NM-TRAN's five."""
    yield from table.find(
        _outside(table, "EVID", (0, 1, 2, 3, 4)),
        "EVID-RANGE",
        "EVID",
        "0, 1, 2, 3 or 4 was expected",
        "0 observation, 1 dose, 2 other, 3 reset, 4 reset and dose",
    )


def mdv_range(table: Table) -> Iterator[Finding]:
    """MDV-RANGE: neither 0 nor 1."""
    yield from table.find(
        _outside(table, "MDV", (0, 1)),
        "MDV-RANGE",
        "MDV",
        "0 or 1 was expected",
        "0: DV is an observation, 1: it is not",
    )


def cens_range(table: Table) -> Iterator[Finding]:
    """CENS-RANGE: not -1, 0 or 1."""
    yield from table.find(
        _outside(table, "CENS", (-1, 0, 1)),
        "CENS-RANGE",
        "CENS",
        "-1, 0 or 1 was expected",
        "1: below the limit in DV, -1: above it, 0: measured",
    )


def blq_range(table: Table) -> Iterator[Finding]:
    """BLQ-RANGE: neither 0/1 nor N/Y."""
    yield from table.find(
        _outside(table, "BLQ", (0, 1)),
        "BLQ-RANGE",
        "BLQ",
        "0, 1, N or Y was expected",
        "1 or Y: below the limit in LLOQ",
    )


def ss_range(table: Table) -> Iterator[Finding]:
    """SS-RANGE: not 0, 1 or 2."""
    yield from table.find(
        _outside(table, "SS", (0, 1, 2)),
        "SS-RANGE",
        "SS",
        "0, 1 or 2 was expected",
        "1: steady state alone, 2: added to what is there; 3 is not known here",
    )


def cmt_integer(table: Table) -> Iterator[Finding]:
    """CMT-INTEGER: a fractional or negative compartment number."""
    cmt = table.filled("CMT")
    yield from table.find(
        (cmt != np.round(cmt)) | (cmt < 0),
        "CMT-INTEGER",
        "CMT",
        "a whole number from 0 on was expected",
        "compartments cannot be switched off by a negative CMT here",
    )


def addl_integer(table: Table) -> Iterator[Finding]:
    """ADDL-INTEGER: a fractional or negative number of further doses."""
    addl = table.filled("ADDL")
    yield from table.find(
        (addl != np.round(addl)) | (addl < 0),
        "ADDL-INTEGER",
        "ADDL",
        "a whole number from 0 on was expected",
        "ADDL counts the doses after this one",
    )
