"""Rules of form: is this a table with the columns the fit file names?

One function per rule; each looks at the text cells only. All but ROW-RAGGED and
ENCODING stop the reading.
"""

import difflib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from imak_pkpd.data.block import DataBlock
from imak_pkpd.data.cells import Cells
from imak_pkpd.data.finding import Finding, Severity, quoted
from imak_pkpd.data.names import ALIASES, standard_columns


class Form(NamedTuple):
    """What the rules of form look at; `extra` are further columns the fit uses."""

    cells: Cells
    block: DataBlock
    extra: tuple[str, ...]

    @property
    def has_names(self) -> bool:
        """Whether the header can be read as names of columns."""
        return bool(self.cells.header) and self.cells.delimiter == ","


def _finding(
    rule: str,
    line: int | None,
    message: str,
    hint: str,
    column: str | None = None,
    value: str = "",
    severity: Severity = "error",
) -> Finding:
    return Finding(rule, severity, line, None, column, value, message, hint)


def empty_file(form: Form) -> Iterator[Finding]:
    """EMPTY-FILE: no header."""
    if not form.cells.header and form.cells.broken is None:
        yield _finding(
            "EMPTY-FILE",
            None,
            "the file is empty (a header and rows were expected)",
            "export the data again",
        )


def unreadable(form: Form) -> Iterator[Finding]:
    """UNREADABLE: a quote that does not close, or a file that is not what it says."""
    if form.cells.broken is not None:
        line, reason = form.cells.broken
        yield _finding(
            "UNREADABLE",
            line,
            f"the row that begins here cannot be read: {reason}",
            "look for a quote that is not closed in a CSV file, or export again",
        )


def encoding(form: Form) -> Iterator[Finding]:
    """ENCODING: not UTF-8; read as Latin-1."""
    if form.cells.encoding is not None:
        yield _finding(
            "ENCODING",
            None,
            f"{form.cells.encoding}: the file was read as Latin-1",
            "save the file as UTF-8 if a name looks wrong",
            severity="warning",
        )


def no_rows(form: Form) -> Iterator[Finding]:
    """NO-ROWS: a header and nothing else."""
    cells = form.cells
    if cells.header and not cells.rows and cells.broken is None:
        yield _finding(
            "NO-ROWS",
            1,
            "the file has a header and no rows (records were expected)",
            "export the data again",
        )


def delimiter(form: Form) -> Iterator[Finding]:
    """DELIMITER: columns separated by something else than a comma."""
    if form.cells.delimiter != ",":
        yield _finding(
            "DELIMITER",
            1,
            f"{form.cells.delimiter!r} separates the columns (commas were expected)",
            "save as CSV with commas and decimal points",
        )


def duplicated_header(form: Form) -> Iterator[Finding]:
    """HEADER-DUPLICATE: two columns of one name."""
    for name, count in Counter(form.cells.header).items():
        if count > 1:
            yield _finding(
                "HEADER-DUPLICATE",
                1,
                f"the header has {quoted(name)} {count} times (names must differ)",
                "rename or remove one of the columns",
                name,
                name,
            )


def ragged_rows(form: Form) -> Iterator[Finding]:
    """ROW-RAGGED: a row with more or fewer cells than the header."""
    wanted = len(form.cells.header)
    for row in form.cells.rows:
        if len(row.cells) != wanted:
            yield _finding(
                "ROW-RAGGED",
                row.line,
                f"the row has {len(row.cells)} cells ({wanted} were expected)",
                "look for a decimal comma, a missing comma or text with a comma in it",
            )


def missing_standard(form: Form) -> Iterator[Finding]:
    """COLUMN-MISSING: no ID, TIME or DV column."""
    block = form.block
    found = standard_columns(form.cells.header, block.columns, block.drop)
    timeless = block.time is None or block.has_calendar
    for name in ("ID", "TIME", "DV"):
        needed = form.has_names and not (name == "TIME" and timeless)
        if needed and name not in found:
            yield _missing_column(form, block.columns.get(name, name), name)


def missing_declared(form: Form) -> Iterator[Finding]:
    """COLUMN-MISSING: a column that the fit file names is not in the file."""
    block = form.block
    mapped = [
        c for name, c in block.columns.items() if name not in ("ID", "TIME", "DV")
    ]
    excluded = [exclude.column for exclude in block.exclude]
    calendar = [column for column in (block.date, block.clock) if column is not None]
    wanted = [*block.covariates, *form.extra, *mapped, *excluded, *calendar]
    for column in dict.fromkeys(wanted):
        if form.has_names and column not in form.cells.header:
            yield _missing_column(form, column, None)


def _missing_column(form: Form, column: str, standard: str | None) -> Finding:
    header = {name.casefold(): name for name in form.cells.header}
    near = difflib.get_close_matches(column.casefold(), list(header), n=1, cutoff=0.7)
    hint = "add the column, or name the one that holds it"
    if standard:
        other = header[near[0]] if near else "…"
        also = ", ".join(ALIASES.get(standard, ()))
        hint = f'write columns = {{ {standard} = "{other}" }} under [data]'
        hint += f" (also known: {also})" if also else ""
    elif near:
        hint = f"did you mean '{header[near[0]]}'?"
    message = f"there is no column {quoted(column)}"
    return _finding("COLUMN-MISSING", 1, message, hint, column)


FORM_RULES: tuple[Callable[[Form], Iterator[Finding]], ...] = (
    empty_file,
    unreadable,
    encoding,
    no_rows,
    delimiter,
    duplicated_header,
    ragged_rows,
    missing_standard,
    missing_declared,
)
GO_ON = ("ROW-RAGGED", "ENCODING")
"""The rules of form after which the rest can still be read."""
