"""Rules of observations: DV, MDV, CENS, LIMIT, LLOQ, replicates."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool

from imak_pkpd.data.censoring import INTERVAL, LEFT, NONE
from imak_pkpd.data.finding import Finding
from imak_pkpd.data.table import Table

Rows = Bool[np.ndarray, " row"]

# a limit printed with four digits still counts as the logarithm of another
SAME = 1e-3


def missing_dv(table: Table) -> Iterator[Finding]:
    """DV-MISSING: an observation (MDV = 0) without a value."""
    flagged = (table.filled("CENS") != 0) | (table.filled("BLQ") == 1)
    yield from table.find(
        table.observed & np.isnan(table.number("DV")) & ~flagged,
        "DV-MISSING",
        "DV",
        "an observation needs a value",
        "set MDV = 1 if there is none, or CENS = 1 and the limit if it was too low",
    )


def censored_without_limit(table: Table) -> Iterator[Finding]:
    """CENS-LIMIT: a censored row without a limit."""
    flagged = (table.filled("CENS") != 0) | (table.filled("BLQ") == 1)
    yield from table.find(
        table.observed & flagged & np.isnan(table.censored.value),
        "CENS-LIMIT",
        "CENS" if table.has("CENS") else "BLQ",
        "a censored row needs its limit",
        "write the limit into DV or LLOQ, or lloq under the output",
    )


def limit_order(table: Table) -> Iterator[Finding]:
    """LIMIT-ORDER: an interval that ends before it begins."""
    censored = table.censored
    yield from table.find(
        (censored.censor == INTERVAL) & ~(censored.lower < censored.value),
        "LIMIT-ORDER",
        "LIMIT",
        "CENS = 1 lies between LIMIT and DV, CENS = -1 between DV and LIMIT",
        "exchange them or remove LIMIT",
    )


def mdv_against_evid(table: Table) -> Iterator[Finding]:
    """MDV-EVID: MDV and EVID disagree; MDV wins."""
    has_value = ~np.isnan(table.number("DV"))
    hidden = (table.number("EVID") == 0) & (table.number("MDV") == 1) & has_value
    yield from table.find(
        hidden,
        "MDV-EVID",
        "MDV",
        "EVID is 0; MDV wins: DV is not used",
        "set MDV = 0 to use the observation",
        "warning",
    )
    yield from table.find(
        (table.evid != 0) & (table.number("MDV") == 0),
        "MDV-EVID",
        "MDV",
        "EVID is not 0; MDV wins: a DV is an observation just before this event",
        "set MDV = 1 if DV is no observation",
        "warning",
    )


def replicates(table: Table) -> Iterator[Finding]:
    """REPLICATE: two observations of a subject at one time and DVID."""
    seen: dict[tuple[int, float, str], int] = {}
    time, dvid = table.number("TIME"), table.standard["DVID"].cells
    timed = table.has("TIME") or table.block.has_calendar
    for row in map(int, np.flatnonzero(table.observed & table.sound & timed)):
        key = (int(table.run[row]), float(time[row]), dvid[row])
        first = seen.setdefault(key, int(table.line[row]))
        if first != table.line[row]:
            yield table.finding(
                row,
                "REPLICATE",
                "TIME",
                f"the subject's line {first} has the same TIME and DVID",
                "both are used; give assays different DVIDs",
                "warning",
            )


def below_limit_yet_measured(table: Table) -> Iterator[Finding]:
    """DV-BELOW-LLOQ: CENS = 0 and DV below LLOQ; CENS wins."""
    yield from table.find(
        _quantified(table) & (table.number("DV") < table.lloq),
        "DV-BELOW-LLOQ",
        "DV",
        "below LLOQ, but not marked as censored: used as measured",
        "set CENS = 1 to treat it as censored",
        "warning",
    )


def _quantified(table: Table) -> Rows:
    return table.observed & (table.censored.censor == NONE)


def limit_below_dv(table: Table) -> Iterator[Finding]:
    """LLOQ-SCALE: a value censored below LLOQ whose DV is above LLOQ."""
    low = table.observed & (table.number("CENS") == 1)
    yield from table.find(
        low & (table.number("DV") > table.lloq),
        "LLOQ-SCALE",
        "DV",
        "CENS is 1, yet DV is above LLOQ",
        _SCALE_HINT,
    )


def limit_is_a_logarithm(table: Table) -> Iterator[Finding]:
    """LLOQ-SCALE: DV holds the logarithm of LLOQ."""
    dv, lloq = table.number("DV"), table.lloq
    log = np.log(np.where(lloq > 0, lloq, np.nan))
    same = _close(dv, log) | _close(dv, log / np.log(10))
    low = table.observed & (table.number("CENS") == 1)
    yield from table.find(
        low & same & ~_close(dv, lloq) & (dv != 0) & (dv < lloq),
        "LLOQ-SCALE",
        "DV",
        "it is the logarithm of LLOQ",
        _SCALE_HINT,
    )


def _close(a: np.ndarray, b: np.ndarray) -> Rows:
    return np.abs(a - b) <= SAME * np.abs(b)


def limit_off_all_values(table: Table) -> Iterator[Finding]:
    """LLOQ-SCALE: the values of an output cannot share a scale with its LLOQ.

    Said once per output, at its first row, when LLOQ is negative and all values are
    positive; when several different values are negative under a positive LLOQ; or when
    most measured values lie below it.
    """
    known = table.observed & table.sound & ~np.isnan(table.number("DV"))
    known &= ~np.isnan(table.lloq) & (table.number("CENS") != -1)
    for place in _groups(table):
        rows = known & place
        if rows.any() and _off_scale(table, rows):
            yield table.finding(
                int(np.argmax(rows)),
                "LLOQ-SCALE",
                "LLOQ" if table.has("LLOQ") else "DV",
                f"LLOQ {table.lloq[rows][0]:g} does not fit values from "
                f"{np.min(table.number('DV')[rows]):g} to "
                f"{np.max(table.number('DV')[rows]):g}",
                _SCALE_HINT,
            )


def _groups(table: Table) -> list[Rows]:
    """The rows of each DVID."""
    dvid = np.nan_to_num(table.number("DVID"), nan=-np.inf)
    return [dvid == value for value in np.unique(dvid)]


def _off_scale(table: Table, rows: Rows) -> bool:
    dv, lloq = table.number("DV")[rows], table.lloq[rows]
    measured = ~np.isin(table.censored.censor, (LEFT, INTERVAL))[rows]
    negative = np.unique(dv[(dv < 0) & (lloq > 0)])
    if (lloq < 0).all() and (dv > 0).all():
        return True
    if len(negative) > 1 and (measured[dv < 0].any() or not _explicit(table)):
        return True
    below = measured & (dv < lloq)
    if _explicit(table):
        return bool(2 * below.sum() > measured.sum())
    return len(np.unique(dv)) > 1 and bool((dv < lloq).all())


def _explicit(table: Table) -> bool:
    return table.has("CENS") or table.has("BLQ")


_SCALE_HINT = "write LLOQ in the unit and on the scale (logarithm or not) of DV"
