"""TIME from declared date and clock columns, counted from the subject's first record.

Dates are ISO (2024-03-01), clock times 24 h (08:30 or 08:30:15): nothing is guessed.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from imak_pkpd.data.column import Column
from imak_pkpd.data.number import Fault

HOURS: Mapping[str, float] = {
    "s": 1 / 3600, "min": 1 / 60, "h": 1.0, "day": 24.0, "week": 168.0,
}  # fmt: skip
CLOCK = re.compile(r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?", re.ASCII)


def elapsed_time(
    dates: Sequence[str], clocks: Sequence[str], subjects: Sequence[str], unit: str
) -> Column:
    """TIME since each subject's first readable record, in `unit`."""
    first: dict[str, datetime] = {}
    values = np.full(len(subjects), np.nan)
    faults: dict[int, Fault] = {}
    for row, (date, clock, who) in enumerate(zip(dates, clocks, subjects, strict=True)):
        instant = read_instant(date, clock)
        if instant is None:
            faults[row] = "clock"
            continue
        passed = instant - first.setdefault(who, instant)
        values[row] = passed.total_seconds() / 3600 / HOURS[unit]
    cells = [f"{d} {c}".strip() for d, c in zip(dates, clocks, strict=True)]
    return Column(cells, values, faults, ())


def read_instant(date: str, clock: str) -> datetime | None:
    """The instant of a date and a clock time, either of which may be ''."""
    if clock and not CLOCK.fullmatch(clock):
        return None
    try:
        instant = datetime.fromisoformat(date or "2000-01-01")
    except ValueError:
        return None
    if instant.tzinfo is not None or not (date or clock):
        return None
    hour, minute, second = (
        ([int(part) for part in clock.split(":")] + [0, 0, 0])[:3]
        if clock
        else (0, 0, 0)
    )
    return (
        instant.replace(hour=hour, minute=minute, second=second) if clock else instant
    )
