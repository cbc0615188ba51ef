"""`build_table`: from text cells to a `Table`, as the data block declares."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int

from imak_pkpd.data.block import DataBlock, ExcludeBlock
from imak_pkpd.data.cells import Cells, Row
from imak_pkpd.data.clock import elapsed_time
from imak_pkpd.data.column import (
    Column,
    coded_column,
    empty_column,
    flag_column,
    number_column,
)
from imak_pkpd.data.expectations import Expectations
from imak_pkpd.data.names import STANDARD, standard_columns
from imak_pkpd.data.number import Missing, missing_codes, read_number
from imak_pkpd.data.table import Table

Texts = Mapping[str, Sequence[str]]


def build_table(
    cells: Cells,
    block: DataBlock,
    extra: Sequence[str],
    expectations: Expectations | None,
) -> Table:
    """The table of a file whose header has all it needs."""
    missing = missing_codes(block.missing)
    names = standard_columns(cells.header, block.columns, block.drop)
    rows, exclusions = _included(cells, block.exclude, missing)
    if block.returning_id == "join":
        rows = _joined(rows, cells.header, names)
    texts = _texts(rows, cells.header)
    subject = tuple("" if t in missing.texts else t for t in texts[names["ID"]])
    standard = _standard(texts, names, missing, len(rows))
    if block.has_calendar:
        standard["TIME"] = _calendar(texts, block, subject)
    elif block.time is None and "TIME" not in names:
        standard["TIME"] = empty_column(len(rows))._replace(values=np.zeros(len(rows)))
    further = dict.fromkeys([*block.covariates, *extra])
    return Table(
        block=block,
        expectations=expectations,
        header=cells.header,
        names=names,
        line=np.array([row.line for row in rows], int),
        subject=subject,
        run=_runs(subject),
        standard=standard,
        covariates={name: coded_column(texts[name], missing) for name in further},
        extra=tuple(name for name in further if name not in block.covariates),
        exclusions=exclusions,
    )


def _included(
    cells: Cells, excludes: Sequence[ExcludeBlock], missing: Missing
) -> tuple[list[Row], dict[str, int]]:
    """The rows no exclusion matches, and how many each reason took."""
    counts = {exclude.reason: 0 for exclude in excludes}
    rows = cells.sound_rows
    for exclude in excludes:
        place = cells.header.index(exclude.column)
        wanted = [_comparable(value, missing) for value in exclude.values]
        kept = [r for r in rows if _comparable(r.cells[place], missing) not in wanted]
        counts[exclude.reason] += len(rows) - len(kept)
        rows = kept
    return rows, counts


def _comparable(text: str, missing: Missing) -> float | str:
    """A cell as a number if it is one, so that 2 equals 2.0."""
    value, fault = read_number(text, missing)
    return text if fault else value


def _joined(
    rows: list[Row], header: Sequence[str], names: Mapping[str, str]
) -> list[Row]:
    """The rows of each ID together, IDs in order of appearance.

    An ID that came back is put in order of TIME, unless a reset restarts its TIME.
    """
    place = header.index(names["ID"])
    groups: dict[str, list[Row]] = {}
    returned: set[str] = set()
    last = None
    for row in rows:
        who = row.cells[place]
        returned |= {who} if who in groups and who != last else set()
        groups.setdefault(who, []).append(row)
        last = who
    for who in returned:
        groups[who] = _in_time_order(groups[who], header, names)
    return [row for group in groups.values() for row in group]


def _in_time_order(
    rows: list[Row], header: Sequence[str], names: Mapping[str, str]
) -> list[Row]:
    """The rows sorted by TIME, file order at equal times; as they are if they reset."""
    if "TIME" not in names:
        return rows
    time, usual = header.index(names["TIME"]), missing_codes()
    times = [read_number(row.cells[time], usual)[0] for row in rows]
    evid = header.index(names["EVID"]) if "EVID" in names else None
    resets = evid is not None and any(row.cells[evid] in ("3", "4") for row in rows)
    if resets or any(np.isnan(times)):
        return rows
    return [rows[index] for index in np.argsort(times, kind="stable")]


def _texts(rows: Sequence[Row], header: Sequence[str]) -> dict[str, Sequence[str]]:
    """Columns of text by name."""
    columns = (
        zip(*(row.cells for row in rows), strict=True) if rows else [()] * len(header)
    )
    return dict(zip(header, columns, strict=True))


def _standard(
    texts: Texts, names: Mapping[str, str], missing: Missing, rows: int
) -> dict[str, Column]:
    """All standard columns; those the file lacks are empty."""
    read = {"ID": coded_column, "DVID": coded_column, "BLQ": flag_column}
    found = {
        name: read.get(name, number_column)(texts[column], missing)
        for name, column in names.items()
    }
    for name in {"ID", "AVALU"} & set(names):  # text, whatever it looks like
        found[name] = Column(texts[names[name]], np.zeros(rows), {}, ())
    return {name: found.get(name) or empty_column(rows) for name in STANDARD}


def _calendar(texts: Texts, block: DataBlock, subject: Sequence[str]) -> Column:
    blank = [""] * len(subject)
    dates = texts[block.date] if block.date else blank
    clocks = texts[block.clock] if block.clock else blank
    return elapsed_time(dates, clocks, subject, block.time or "h")


def _runs(subject: Sequence[str]) -> Int[np.ndarray, " row"]:
    """Numbers of the stretches of equal IDs; a missing ID belongs to the one before."""
    runs = np.zeros(len(subject), int)
    last = subject[0] if subject else ""
    for row, who in enumerate(subject):
        changed = who not in ("", last)
        runs[row] = runs[row - 1] + changed if row else 0
        last = who or last
    return runs
