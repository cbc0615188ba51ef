"""Dose entries of one subject: ADDL expanded, past steady-state doses listed.

NM-TRAN's records become a flat list of `Entry`; nothing here depends on a
parameter, so lag, F, rate and duration enter later, in `solve`.
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

BOLUS, RATE, MODELLED_RATE, MODELLED_DURATION, DURATION = range(5)
"""How an entry is given: RATE = 0, RATE > 0, RATE = -1, RATE = -2, DUR column."""

PAST_BOLUSES = 2
"""Past steady-state boluses that a lag may carry beyond their record."""

PAST_INFUSIONS = 8
"""Past steady-state infusions kept when their duration is a parameter."""


class Entry(NamedTuple):
    """One dose: a row of `Schedule.doses`.

    `clock` is the record's time (not lagged) on the subject's monotone clock;
    `past` counts intervals back from a steady-state record (0: the dose itself);
    `steady` is 0, 1 or 2 on the entry that sets a steady state; `order` is the file
    order at equal times; `epoch` the number of resets before it.
    """

    clock: float
    order: int
    epoch: int
    name: int
    amount: float
    mode: int
    rate: float
    duration: float
    interval: float
    steady: int
    past: int
    setting_clock: float


def dose_mode(rate: float, duration: float) -> int:
    """The way a record is infused, from its RATE and DUR items."""
    if rate > 0:
        return RATE
    if rate == -1:
        return MODELLED_RATE
    if rate == -2:
        return MODELLED_DURATION
    return DURATION if duration > 0 else BOLUS


def entries(
    record: Mapping[str, float], clock: float, order: int, epoch: int, name: int
) -> Iterator[Entry]:
    """The entries of one dose record (EVID 1 or 4).

    `record` holds AMT, RATE, DUR, ADDL, II and SS with 0 for a missing item.
    """
    mode = dose_mode(record["RATE"], record["DUR"])
    interval = record["II"]
    this = Entry(
        clock, order, epoch, name, record["AMT"], mode, record["RATE"],
        record["DUR"], interval, int(record["SS"]), 0, clock,
    )  # fmt: skip
    yield this
    for past in range(1, _past_doses(this) + 1):
        yield this._replace(steady=0, past=past)
    for repeat in range(1, int(record["ADDL"]) + 1):
        later = clock + repeat * interval
        yield this._replace(clock=later, steady=0, setting_clock=later)


def _past_doses(entry: Entry) -> int:
    """How many doses before a steady-state record can still act after it."""
    if entry.steady == 0 or entry.interval <= 0:
        return 0
    match entry.mode:
        case 0:
            return PAST_BOLUSES
        case 1:  # F scales the duration: twice the nominal overlap is kept
            overlap = entry.amount / entry.rate / entry.interval
            return 2 * math.ceil(overlap) + 1
        case 4:
            return math.ceil(entry.duration / entry.interval) + 1
        case _:
            return PAST_INFUSIONS
