"""Rules of dose records: AMT, RATE, DUR, ADDL, II, SS and CMT together."""

from collections.abc import Iterator

import numpy as np

from imak_pkpd.data.finding import Finding
from imak_pkpd.data.names import RATE_LIKE
from imak_pkpd.data.table import Table

# RATE x DUR may differ from AMT by the rounding of a table with six digits
RATE_TOLERANCE = 1e-5


def dose_without_event(table: Table) -> Iterator[Finding]:
    """AMT-EVID: AMT > 0 on a record that is no dose."""
    yield from table.find(
        (table.amt > 0) & ~table.dosed,
        "AMT-EVID",
        "AMT",
        "0 was expected where EVID is 0, 2 or 3",
        "set EVID = 1 if this is a dose, else AMT = 0",
    )


def negative_dose(table: Table) -> Iterator[Finding]:
    """AMT-NEG: a negative amount."""
    yield from table.find(
        table.filled("AMT") < 0,
        "AMT-NEG",
        "AMT",
        "0 or more was expected",
        "correct the dose",
    )


def dose_of_nothing(table: Table) -> Iterator[Finding]:
    """AMT-ZERO: a dose record without a dose.

    AMT = 0 has a meaning only as a constant infusion to steady state (RATE > 0, SS).
    """
    steady = (table.filled("RATE") > 0) & (table.filled("SS") > 0)
    yield from table.find(
        table.dosed & (table.amt == 0) & ~steady,
        "AMT-ZERO",
        "AMT",
        "a dose was expected where EVID is 1 or 4",
        "give AMT, or RATE > 0 with SS = 1 for an endless infusion; EVID = 3 resets",
    )


def rate_range(table: Table) -> Iterator[Finding]:
    """RATE-RANGE: below 0 and neither -1 nor -2."""
    rate = table.filled("RATE")
    yield from table.find(
        (rate < 0) & (rate != -1) & (rate != -2),
        "RATE-RANGE",
        "RATE",
        "0 or more, -1 or -2 was expected",
        "-1: the rate is a parameter, -2: the duration is one",
    )


def negative_duration(table: Table) -> Iterator[Finding]:
    """DUR-NEG: a negative duration."""
    yield from table.find(
        table.filled("DUR") < 0,
        "DUR-NEG",
        "DUR",
        "0 or more was expected",
        "0 or missing: a bolus",
    )


def rate_against_duration(table: Table) -> Iterator[Finding]:
    """RATE-DUR: RATE and DUR that do not make AMT."""
    rate, duration = table.filled("RATE"), table.filled("DUR")
    apart = np.abs(rate * duration - table.amt) > RATE_TOLERANCE * table.amt
    both = table.dosed & (table.amt > 0) & (rate != 0) & (duration > 0)
    yield from table.find(
        both & ((rate < 0) | apart),
        "RATE-DUR",
        "DUR",
        "AMT / RATE was expected",
        "keep either RATE or DUR",
    )


def further_doses_without_interval(table: Table) -> Iterator[Finding]:
    """ADDL-II: further doses without II > 0."""
    yield from table.find(
        table.dosed & (table.filled("ADDL") > 0) & ~(table.filled("II") > 0),
        "ADDL-II",
        "II",
        "a number above 0 was expected where ADDL is set",
        "II is the time between the doses",
    )


def steady_state_without_interval(table: Table) -> Iterator[Finding]:
    """SS-II: steady state without II > 0, unless of a constant infusion."""
    constant = (table.amt == 0) & (table.filled("RATE") > 0)
    yield from table.find(
        table.dosed & (table.filled("SS") > 0) & ~(table.filled("II") > 0) & ~constant,
        "SS-II",
        "II",
        "a number above 0 was expected where SS is set",
        "II is the time between the doses; only AMT = 0 with RATE > 0 needs none",
    )


def evid_inferred(table: Table) -> Iterator[Finding]:
    """EVID-INFERRED: EVID is missing and follows from AMT."""
    if not table.has("AMT"):
        return
    missing = np.isnan(table.number("EVID")) & table.sound
    if missing.any():
        doses, rows = int((missing & table.dosed).sum()), int(missing.sum())
        first = int(table.line[np.argmax(missing)])
        message = (
            f"EVID is missing on {rows} rows: inferred from AMT, {doses} are doses"
        )
        hint = "add an EVID column to say it yourself"
        yield Finding(
            "EVID-INFERRED", "warning", first, None, "EVID", "", message, hint
        )


def event_without_compartment(table: Table) -> Iterator[Finding]:
    """EVID-CMT: EVID 2 or 3 without CMT."""
    yield from table.find(
        np.isin(table.number("EVID"), (2, 3)) & np.isnan(table.number("CMT")),
        "EVID-CMT",
        "CMT",
        "EVID 2 or 3 without a compartment acts on the whole system",
        "write CMT = 0 to say so",
        "warning",
    )


def rate_not_mapped(table: Table) -> Iterator[Finding]:
    """RATE-UNMAPPED: a column that looks like an infusion is not read."""
    read = {*table.names.values(), *table.covariates}
    for name in table.header:
        if name.upper() in RATE_LIKE and name not in read:
            message = f"column '{name}' looks like an infusion and is not read"
            hint = f'write columns = {{ RATE = "{name}" }} (or DUR); else all boluses'
            yield table.of_file("RATE-UNMAPPED", name, message, hint, "warning")
