"""`Schedule`: what happens to each subject and when, as padded arrays with masks.

It holds dose RECORDS, never jumps or rates: those depend on lag, F, rate and duration
and are made for one draw in `solve`. Times are on the subject's `clock`, which never
runs backwards: where TIME restarts at a reset, `shift` says by how much.
`build_schedule` makes it from a `Dataset`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Bool, Float, Int

from imak_pkpd.data.dataset import Dataset
from imak_pkpd.data.events import Entry, entries
from imak_pkpd.data.padding import bucket, pad
from imak_pkpd.data.settings import Settings, subject_settings

ItemF = Float[Any, "..."]  # NumPy where built, JAX inside a program
ItemI = Int[Any, "..."]
ItemB = Bool[Any, "..."]


class Doses(eqx.Module):
    """Dose entries, axes [subject, dose]; the fields of `events.Entry`."""

    clock: ItemF
    order: ItemI
    epoch: ItemI
    name: ItemI
    amount: ItemF
    mode: ItemI
    rate: ItemF
    duration: ItemF
    interval: ItemF
    steady: ItemI
    past: ItemI
    setting: ItemI
    mask: ItemB


class Resets(eqx.Module):
    """EVID 3 and 4 and SS = 1, axes [subject, reset]; `wipes` is false for SS = 1.

    `shift` [subject, reset + 1] is clock - TIME before, between and after them.
    """

    clock: ItemF
    order: ItemI
    wipes: ItemB
    mask: ItemB
    shift: ItemF


class Observations(eqx.Module):
    """What was measured, axes [subject, observation].

    `value` is DV (the limit where `censor` is 1 or -1, the upper one where it is 2),
    `limit` the lower limit of an interval; `covariate` [subject, observation, column]
    holds the values of the row itself, `row` its place in the data set.
    """

    clock: ItemF
    order: ItemI
    time: ItemF
    value: ItemF
    limit: ItemF
    censor: ItemI
    output: ItemI
    setting: ItemI
    covariate: ItemF
    row: ItemI
    mask: ItemB


class Covariates(eqx.Module):
    """Covariate values: distinct `settings`, and which one holds in each interval.

    `value` [subject, setting, column]; `start` [subject, change] (clock) and `setting`
    [subject, change] say which setting holds between records; `base` and `slope`
    [subject, change, column] describe columns carried linearly.
    """

    value: ItemF
    start: ItemF
    setting: ItemI
    base: ItemF
    slope: ItemF


class Schedule(eqx.Module):
    """Doses, resets, observations and covariates of all subjects (leading axis).

    `patient` [subject] says whose random effects a row has, of `patients` in all;
    `varying` names the covariates that change inside a subject, `levels` the codes of
    text covariates, `censored` the censoring codes that occur in each output.
    """

    doses: Doses
    resets: Resets
    observations: Observations
    covariates: Covariates
    begin: ItemF
    end: ItemF
    patient: ItemI
    patients: int = eqx.field(static=True)
    dose_names: tuple[str, ...] = eqx.field(static=True)
    columns: tuple[str, ...] = eqx.field(static=True)
    linear: tuple[str, ...] = eqx.field(static=True)
    varying: frozenset[str] = eqx.field(static=True)
    levels: tuple[tuple[str, tuple[str, ...]], ...] = eqx.field(static=True)
    censored: tuple[frozenset[int], ...] = eqx.field(static=True)
    has_resets: bool = eqx.field(static=True)
    has_steady: bool = eqx.field(static=True)
    has_infusions: bool = eqx.field(static=True)

    @property
    def subjects(self) -> int:
        return self.patient.shape[0]


class _Subject(NamedTuple):
    """One subject's rows, turned into lists; padded together afterwards."""

    doses: list[Entry]
    resets: list[tuple[float, int, bool, float]]
    rows: np.ndarray
    clock: np.ndarray
    shift: np.ndarray
    settings: Settings


def build_schedule(
    dataset: Dataset,
    inputs: Mapping[int, str],
    rules: Mapping[str, str],
    dose_names: Sequence[str],
) -> Schedule:
    """The padded schedule of a data set.

    `inputs` maps CMT to dose name, `rules` a covariate to its carrying rule;
    `dose_names` are the model's.
    """
    cmt = {number: list(dose_names).index(name) for number, name in inputs.items()}
    columns = tuple(dataset.covariates)
    subjects = [
        _read_subject(dataset, rows, cmt, rules, columns) for rows in _rows(dataset)
    ]
    return _assemble(dataset, subjects, rules, tuple(dose_names), columns)


def _rows(dataset: Dataset) -> list[np.ndarray]:
    """Row numbers of each subject, subjects in order of appearance."""
    codes: dict[str, list[int]] = {}
    for row, name in enumerate(dataset.subject):
        codes.setdefault(name, []).append(row)
    return [np.array(rows) for rows in codes.values()]


def _read_subject(
    dataset: Dataset,
    rows: np.ndarray,
    cmt: Mapping[int, int],
    rules: Mapping[str, str],
    columns: tuple[str, ...],
) -> _Subject:
    record = {name: column[rows] for name, column in dataset.records.items()}
    clock, shift = _monotone_clock(record["TIME"], record["EVID"])
    doses: list[Entry] = []
    resets: list[tuple[float, int, bool, float]] = []
    for index, evid in enumerate(record["EVID"]):
        order = 4 * index  # room for the reset and the steady state of one record
        if evid in (3, 4):
            resets.append((clock[index], order, True, shift[index]))
        if evid in (1, 4):
            item = {
                name: float(np.nan_to_num(record[name][index]))
                for name in ("AMT", "RATE", "DUR", "ADDL", "II", "SS")
            }
            if item["SS"] == 1:
                resets.append((clock[index], order + 1, False, shift[index]))
            name = cmt[_compartment(record["CMT"][index], cmt)]
            doses += entries(item, clock[index], order + 2, len(resets), name)
    carried = [rules.get(name, "locf") for name in columns]
    settings = subject_settings(clock, _table(dataset, columns)[rows], carried)
    return _Subject(doses, resets, rows, clock, shift, settings)


def _table(dataset: Dataset, columns: tuple[str, ...]) -> np.ndarray:
    """Covariate values [row, column]; there may be no column at all."""
    table = np.empty((len(dataset.subject), len(columns)))
    for place, name in enumerate(columns):
        table[:, place] = dataset.covariates[name]
    return table


def _compartment(number: float, cmt: Mapping[int, int]) -> int:
    """The CMT of a dose record; a missing or zero one is the first input."""
    return min(cmt) if np.isnan(number) or number == 0 else int(number)


def _monotone_clock(
    time: np.ndarray, evid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Clock and shift per record: TIME may restart at EVID 3 or 4 only."""
    shift = np.zeros(len(time))
    for index in range(1, len(time)):
        back = time[index - 1] - time[index]
        restart = back > 0 and evid[index] in (3, 4)
        shift[index] = shift[index - 1] + (back if restart else 0.0)
    return time + shift, shift


def _assemble(
    dataset: Dataset,
    subjects: list[_Subject],
    rules: Mapping[str, str],
    dose_names: tuple[str, ...],
    columns: tuple[str, ...],
) -> Schedule:
    doses = _pad_doses(subjects)
    return Schedule(
        doses=doses,
        resets=_pad_resets(subjects),
        observations=_pad_observations(dataset, subjects, columns),
        covariates=_pad_covariates(subjects),
        begin=np.array([s.clock[0] for s in subjects]),
        end=np.array([s.clock.max() for s in subjects]),
        patient=np.arange(len(subjects)),
        patients=len(subjects),
        dose_names=dose_names,
        columns=columns,
        linear=tuple(name for name in columns if rules.get(name) == "linear"),
        varying=_varying(subjects, columns),
        levels=tuple((name, tuple(v)) for name, v in dataset.levels.items()),
        censored=_censored(dataset),
        has_resets=any(s.resets for s in subjects),
        has_steady=bool((doses.steady > 0).any()),
        has_infusions=bool((doses.mask & (doses.mode > 0)).any()),
    )


def _pad_doses(subjects: list[_Subject]) -> Doses:
    length = bucket(max(len(s.doses) for s in subjects))

    def column(field: str, fill: float, dtype: type) -> np.ndarray:
        rows = [np.array([getattr(e, field) for e in s.doses]) for s in subjects]
        return pad(rows, length, fill, dtype)

    settings = [
        np.array([s.settings.at(e.setting_clock) for e in s.doses]) for s in subjects
    ]
    return Doses(
        clock=column("clock", 0.0, np.float64),
        order=column("order", 0.0, np.int32),
        epoch=column("epoch", 0.0, np.int32),
        name=column("name", 0.0, np.int32),
        amount=column("amount", 0.0, np.float64),
        mode=column("mode", 0.0, np.int32),
        rate=column("rate", 0.0, np.float64),
        duration=column("duration", 0.0, np.float64),
        interval=column("interval", 0.0, np.float64),
        steady=column("steady", 0.0, np.int32),
        past=column("past", 0.0, np.int32),
        setting=pad(settings, length, 0.0, np.int32),
        mask=pad([np.ones(len(s.doses)) for s in subjects], length, 0.0, np.bool_),
    )


def _pad_resets(subjects: list[_Subject]) -> Resets:
    length = max(len(s.resets) for s in subjects)

    def column(place: int, fill: float, dtype: type) -> np.ndarray:
        rows = [np.array([r[place] for r in s.resets]) for s in subjects]
        return pad(rows, length, fill, dtype)

    shift = [np.array([s.shift[0], *(r[3] for r in s.resets)]) for s in subjects]
    return Resets(
        clock=column(0, np.inf, np.float64),
        order=column(1, 0.0, np.int32),
        wipes=column(2, 0.0, np.bool_),
        mask=pad([np.ones(len(s.resets)) for s in subjects], length, 0.0, np.bool_),
        shift=pad(shift, length + 1, 0.0),
    )


def _pad_observations(
    dataset: Dataset,
    subjects: list[_Subject],
    columns: tuple[str, ...],
) -> Observations:
    kept = [np.flatnonzero(dataset.records["OUTPUT"][s.rows] >= 0) for s in subjects]
    length = bucket(max(len(k) for k in kept))
    rows = [s.rows[k] for s, k in zip(subjects, kept, strict=True)]

    def item(values: np.ndarray, fill: float, dtype: type = np.float64) -> np.ndarray:
        return pad([values[r] for r in rows], length, fill, dtype)

    def own(name: str) -> list[np.ndarray]:
        return [getattr(s, name)[k] for s, k in zip(subjects, kept, strict=True)]

    table = _table(dataset, columns)
    setting = [
        s.settings.row[k] for s, k in zip(subjects, kept, strict=True)
    ]  # the row's own values: what $ERROR sees
    return Observations(
        clock=pad(own("clock"), length, 0.0),
        order=pad([4 * k + 2 for k in kept], length, 0.0, np.int32),
        time=item(dataset.records["TIME"], 0.0),
        value=item(np.nan_to_num(dataset.records["DV"], nan=1.0), 1.0),
        limit=item(np.nan_to_num(dataset.records["LIMIT"]), 0.0),
        censor=item(np.nan_to_num(dataset.records["CENSOR"]), 0.0, np.int32),
        output=item(dataset.records["OUTPUT"], 0.0, np.int32),
        setting=pad(setting, length, 0.0, np.int32),
        covariate=item(table, 1.0),
        row=pad(rows, length, -1.0, np.int32),
        mask=pad([np.ones(len(k)) for k in kept], length, 0.0, np.bool_),
    )


def _varying(subjects: list[_Subject], columns: tuple[str, ...]) -> frozenset[str]:
    """The columns with more than one value inside some subject."""
    moved = [np.ptp(s.settings.value, axis=0) > 0 for s in subjects]
    return frozenset(np.array(columns)[np.any(moved, axis=0)].tolist())


def _censored(dataset: Dataset) -> tuple[frozenset[int], ...]:
    """The censoring codes of each output, so that only those are compiled."""
    output, code = dataset.records["OUTPUT"], dataset.records["CENSOR"]
    places = range(int(output.max(initial=-1)) + 1)
    return tuple(
        frozenset(int(c) for c in np.unique(code[output == place]) if c != 0)
        for place in places
    )


def _pad_covariates(subjects: list[_Subject]) -> Covariates:
    settings = [s.settings for s in subjects]
    distinct = max(len(s.value) for s in settings)
    changes = max(len(s.start) for s in settings)
    distinct = 1 if distinct == 1 else bucket(distinct)
    changes = 1 if changes == 1 else bucket(changes)
    return Covariates(
        value=pad([s.value for s in settings], distinct, 1.0),
        start=pad([s.start for s in settings], changes, np.inf),
        setting=pad([s.setting for s in settings], changes, 0.0, np.int32),
        base=pad([s.base for s in settings], changes, 0.0),
        slope=pad([s.slope for s in settings], changes, 0.0),
    )
