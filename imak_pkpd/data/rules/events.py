"""Rules of a time to an event: DV is 0 until it is 1, once, and nothing else.

Each is called with a table whose `expectations` are known.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from imak_pkpd.data.finding import Finding
from imak_pkpd.data.table import Table

Rows = Bool[np.ndarray, " row"]
LIMITS = ("CENS", "BLQ", "LIMIT", "LLOQ")


def _timed(table: Table, *kinds: str) -> Rows:
    """The rows of the outputs whose events are known in one of these ways."""
    places = [i for i, each in enumerate(table.outputs) if each.event in kinds]
    return np.isin(table.output, places)


def _first_events(table: Table) -> dict[tuple[int, int], int]:
    """The first row with DV = 1 of each subject and output."""
    events = _timed(table, "exact", "interval") & (table.number("DV") == 1)
    first: dict[tuple[int, int], int] = {}
    for row in map(int, np.flatnonzero(events)):
        first.setdefault((int(table.run[row]), int(table.output[row])), row)
    return first


def not_an_event(table: Table) -> Iterator[Finding]:
    """EVENT-DV: neither 0 nor 1."""
    dv = table.number("DV")
    yield from table.find(
        _timed(table, "exact", "interval") & ~np.isnan(dv) & (dv != 0) & (dv != 1),
        "EVENT-DV",
        "DV",
        "0 (seen without the event) or 1 (the event) was expected",
        "write the time of the event into TIME, and 1 into DV",
    )


def after_the_event(table: Table) -> Iterator[Finding]:
    """EVENT-AFTER: a row after the event, or a second event."""
    rows = _timed(table, "exact", "interval")
    for (run, output), first in _first_events(table).items():
        later = rows & (table.run == run) & (table.output == output)
        later[: first + 1] = False
        yield from table.find(
            later,
            "EVENT-AFTER",
            "DV",
            f"the event is in line {table.line[first]}: no row after it was expected",
            "remove the row; an event that comes again is not a time to an event",
        )


def limited_event(table: Table) -> Iterator[Finding]:
    """EVENT-LIMIT: a limit of quantification, or a mark of one, at an event."""
    rows = _timed(table, "exact", "interval")
    for name in LIMITS:
        given = table.number(name)
        marks = given != 0 if name in ("CENS", "BLQ") else True
        yield from table.find(
            rows & ~np.isnan(given) & marks,
            "EVENT-LIMIT",
            name,
            "an event has no limit: an empty cell was expected",
            "write DV = 0 at the last time without the event: that is its censoring",
        )


def empty_window(table: Table) -> Iterator[Finding]:
    """EVENT-WINDOW: an event within an interval of no length."""
    since = _window_begin(table)
    events = _timed(table, "interval") & (table.number("DV") == 1)
    yield from table.find(
        events & (table.number("TIME") <= since),
        "EVENT-WINDOW",
        "TIME",
        "the event lies between the row before of this DVID, or the first record of "
        "the subject, and TIME: a later TIME was expected",
        "add the last row without the event (DV = 0), or write event = 'exact'",
    )


def _window_begin(table: Table) -> Float[np.ndarray, " row"]:
    """TIME of the row before of the same subject and output, else of the first record.

    Where TIME restarts at a reset the two are not on one clock: nothing is known.
    """
    time = table.number("TIME")
    since = np.full(len(time), np.nan)
    last: dict[tuple[int, int], int] = {}
    begin: dict[int, int] = {}
    owners = zip(map(int, table.run), map(int, table.output), strict=True)
    for row, (run, output) in enumerate(owners):
        earlier = last.get((run, output), begin.setdefault(run, row))
        restarted = np.isin(table.evid[earlier + 1 : row + 1], (3, 4)).any()
        since[row] = np.nan if restarted else time[earlier]
        last[run, output] = row
    return since
