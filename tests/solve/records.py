"""Subjects written as lists of records, padded to one shape, solved by every stepper.

All calls with as many subjects share one compiled program per stepper, because a
`FILLER` subject that holds more of everything fixes every padded length.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from imak_pkpd.data.dataset import RECORDS, Dataset
from imak_pkpd.data.schedule import Schedule, build_schedule
from imak_pkpd.model import AbstractModel, Dosing, parameters
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing
from imak_pkpd.solve.stepper import AbstractStepper, Adaptive, Exact, Explicit
from imak_pkpd.solve.trajectory import Prediction, predict

Record = Mapping[str, float]
Subject = Sequence[Record]

BEGIN, END = -200.0, 100.0  # h; no record of a property lies outside
SUBSTEP = 0.125  # h: relative errors near 1e-7 at rates up to 1.2/h (measured)
STEADY_STEPS = 96  # as long as the sub-steps, at 12 h between doses

CLOSED, MESH, ADAPTIVE = Exact(), Explicit(), Adaptive(1e-9, 1e-9)


def dose(time: float, amount: float, cmt: int = 2, **items: float) -> Record:
    """A dose record; `items` are RATE, DUR, ADDL, II, SS, or EVID = 4."""
    return {"TIME": time, "EVID": 1, "AMT": amount, "CMT": cmt, **items}


def reset(time: float) -> Record:
    return {"TIME": time, "EVID": 3}


def other(time: float) -> Record:
    """An event that changes nothing: the subject's clock begins here."""
    return {"TIME": time, "EVID": 2}


def seen(*times: float) -> list[Record]:
    """Observations."""
    return [{"TIME": time, "EVID": 0, "OUTPUT": 0} for time in times]


def by_time(*records: Record) -> Subject:
    """The records in order of time, at equal times in the order given."""
    return sorted(records, key=lambda record: record["TIME"])


FILLER: Subject = [
    dose(BEGIN, 1.0, RATE=1.0, SS=1, II=24.0, ADDL=40),
    dose(BEGIN, 1.0, SS=2, II=24.0),
    dose(BEGIN, 1.0, EVID=4),
    reset(BEGIN),
    *seen(*np.linspace(BEGIN + 1, END, 16)),
]


def data_set(subjects: Sequence[Subject]) -> Dataset:
    """The records as they would have been read from a file, in memory."""
    rows = [{"OUTPUT": -1.0, **row} for subject in subjects for row in subject]
    zero = {"AMT", "RATE", "DUR", "ADDL", "II", "SS", "CENSOR", "CENS"}
    column = {
        name: np.array([r.get(name, 0.0 if name in zero else np.nan) for r in rows])
        for name in RECORDS
    }
    names = tuple(str(i) for i, subject in enumerate(subjects) for _ in subject)
    lines = np.arange(len(rows))
    return Dataset(Path("records"), "", (), lines, names, column, {}, {}, {}, {})


def schedule_of(subjects: Sequence[Subject], kind: type[AbstractModel]) -> Schedule:
    inputs = dict(enumerate(kind.doses, start=1))
    return build_schedule(data_set(subjects), inputs, {}, tuple(kind.doses))


def mesh_of(
    schedule: Schedule,
    kind: type[AbstractModel],
    stepper: AbstractStepper,
    dosing: Mapping[str, Dosing] | None = None,
) -> Mesh:
    """The events, and equal sub-steps where the stepper needs them.

    `dosing` replaces what the model declares.
    """
    grid = np.arange(BEGIN, END, SUBSTEP)
    ends = zip(np.asarray(schedule.begin), np.asarray(schedule.end), strict=True)
    extra = [grid[(grid > begin) & (grid < end)] for begin, end in ends]
    parts = None if stepper.steps is None else extra
    return build_mesh(schedule, dosing or declared_dosing(kind), parts, STEADY_STEPS)


@lru_cache(maxsize=8)
def program(stepper: AbstractStepper) -> Any:
    return jax.jit(lambda m, s, g: predict(m, s, g, stepper))


def solved(
    kind: type[AbstractModel],
    values: Mapping[str, Any],
    subjects: Sequence[Subject],
    stepper: AbstractStepper,
) -> Prediction:
    """The predictions, the filler's last; a value is one number or one per subject."""
    schedule = schedule_of([*subjects, FILLER], kind)
    mesh = mesh_of(schedule, kind, stepper)
    return program(stepper)(model_of(kind, values, len(subjects)), schedule, mesh)


def model_of(
    kind: type[AbstractModel], values: Mapping[str, Any], subjects: int
) -> AbstractModel:
    """The model of so many subjects and the filler (the values of the first one)."""
    wide = {
        n: jnp.broadcast_to(jnp.asarray(values[n], float), subjects) for n in values
    }
    return kind(**{n: jnp.append(wide[n], wide[n][0]) for n in parameters(kind)})


def outputs(
    kind: type[AbstractModel],
    values: Mapping[str, Any],
    subjects: Sequence[Subject],
    stepper: AbstractStepper,
) -> list[np.ndarray]:
    """The outputs of each subject at its observations; all must be solved."""
    found = solved(kind, values, subjects, stepper)
    assert np.all(np.asarray(found.status) == 0)
    (rows,) = found.outputs.values()
    counts = [sum(r["EVID"] == 0 for r in subject) for subject in subjects]
    return [np.asarray(row)[:n] for row, n in zip(rows, counts, strict=False)]
