"""Rules of a subject's rows together: order, return, doses and observations."""

from collections.abc import Iterator

import numpy as np

from imak_pkpd.data.finding import Finding
from imak_pkpd.data.table import Table


def time_order(table: Table) -> Iterator[Finding]:
    """TIME-ORDER: TIME runs backwards without a reset (EVID 3 or 4)."""
    time = table.number("TIME")
    back = np.zeros(len(time), bool)
    back[1:] = (np.diff(time) < 0) & (np.diff(table.run) == 0)
    yield from table.find(
        back & ~np.isin(table.evid, (3, 4)),
        "TIME-ORDER",
        "TIME",
        "not before the record above was expected",
        "sort the subject's rows by time, or reset with EVID = 3 or 4",
    )


def returning_id(table: Table) -> Iterator[Finding]:
    """ID-RETURNS: an ID that comes back after another one."""
    seen: dict[str, int] = {}
    starts = np.flatnonzero(np.diff(table.run, prepend=-1))
    for row in starts:
        who = table.subject[row]
        if who and who in seen:
            yield table.finding(
                int(row),
                "ID-RETURNS",
                "ID",
                f"this ID was there from line {seen[who]} on",
                'put its rows together, or write returning_id = "join" under [data]',
            )
        seen.setdefault(who, int(table.line[row]))


def _without(table: Table, kind: np.ndarray) -> Iterator[int]:
    """The first row of each subject none of whose rows is of a kind."""
    subject = np.unique(
        np.array(table.subject, object).astype(str), return_inverse=True
    )[1]
    count = np.bincount(subject, weights=kind) if len(subject) else np.zeros(0)
    first = np.unique(subject, return_index=True)[1]
    for row in sorted(first):
        if count[subject[row]] == 0:
            yield int(row)


def no_dose(table: Table) -> Iterator[Finding]:
    """NO-DOSE: a subject without a dose, in a file that has doses."""
    if not table.has("AMT"):
        return
    for row in _without(table, table.dosed):
        message = "the subject has no dose (EVID 1 or 4)"
        hint = "right for a control; else look for a lost dose record"
        yield _about_subject(table, row, "NO-DOSE", message, hint)


def no_observation(table: Table) -> Iterator[Finding]:
    """NO-OBS: a subject without an observation."""
    for row in _without(table, table.observed):
        message = "the subject has no observation (EVID 0, MDV 0)"
        hint = "the subject informs no parameter"
        yield _about_subject(table, row, "NO-OBS", message, hint)


def _about_subject(
    table: Table, row: int, rule: str, message: str, hint: str
) -> Finding:
    line, who = int(table.line[row]), table.subject[row]
    return Finding(rule, "warning", line, who, None, "", message, hint)
