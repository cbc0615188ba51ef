"""Subjects written as lists of records, padded to one shape, solved by every stepper.

All calls share one compiled program per stepper, because a `FILLER` subject that holds
more of everything fixes every padded length.
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
from imak_pkpd.model import AbstractModel, parameters
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing
from imak_pkpd.solve.stepper import AbstractStepper, Adaptive, Exact, Explicit
from imak_pkpd.solve.trajectory import Prediction, predict

Record = Mapping[str, float]
Subject = Sequence[Record]

HORIZON = 100.0  # h; no record of a property is later
SUBSTEP = 0.25  # h: an error of 1e-7 or less at the rates of the properties

CLOSED, MESH, ADAPTIVE = Exact(), Explicit(), Adaptive(1e-9, 1e-9)


def dose(time: float, amount: float, cmt: int = 2, **items: float) -> Record:
    """A dose record; `items` are RATE, DUR, ADDL, II, SS, or EVID = 4."""
    return {"TIME": time, "EVID": 1, "AMT": amount, "CMT": cmt, **items}


def reset(time: float) -> Record:
    return {"TIME": time, "EVID": 3}


def seen(*times: float) -> list[Record]:
    """Observations."""
    return [{"TIME": time, "EVID": 0, "OUTPUT": 0} for time in times]


FILLER: Subject = [
    dose(0.0, 1.0, RATE=1.0, SS=1, II=24.0, ADDL=40),
    dose(1.0, 1.0, SS=2, II=24.0),
    dose(2.0, 1.0, EVID=4),
    reset(3.0),
    *seen(*np.linspace(4.0, HORIZON, 16)),
]


def data_set(subjects: Sequence[Subject]) -> Dataset:
    """The records as they would have been read from a file, in memory."""
    rows = [{"OUTPUT": -1.0, **row} for subject in subjects for row in subject]
    zero = {"AMT", "RATE", "DUR", "ADDL", "II", "SS", "CENSOR", "CENS"}
    column = {
        name: np.array([r.get(name, 0.0 if name in zero else np.nan) for r in rows])
        for name in RECORDS
    }
    names = [str(i) for i, subject in enumerate(subjects) for _ in subject]
    return Dataset(
        Path("records"), "", (), np.arange(len(rows)), tuple(names), column, {}, {},
        {}, {},
    )  # fmt: skip


def schedule_of(subjects: Sequence[Subject], kind: type[AbstractModel]) -> Schedule:
    inputs = dict(enumerate(kind.doses, start=1))
    return build_schedule(data_set(subjects), inputs, {}, tuple(kind.doses))


def mesh_of(
    schedule: Schedule, kind: type[AbstractModel], stepper: AbstractStepper
) -> Mesh:
    """The events, and equal sub-steps where the stepper needs them."""
    grid = np.arange(-HORIZON, HORIZON, SUBSTEP)
    ends = zip(np.asarray(schedule.begin), np.asarray(schedule.end), strict=True)
    extra = [grid[(grid > begin) & (grid < end)] for begin, end in ends]
    return build_mesh(
        schedule,
        declared_dosing(kind),
        extra if stepper.subdivides else None,
        steady_steps=96,  # as long as the sub-steps, at 24 h between doses
    )


@lru_cache(maxsize=8)
def program(stepper: AbstractStepper) -> Any:
    return jax.jit(lambda m, s, g: predict(m, s, g, stepper))


def solved(
    kind: type[AbstractModel],
    values: Mapping[str, Any],
    subjects: Sequence[Subject],
    stepper: AbstractStepper,
) -> Prediction:
    """The prediction of each subject (the filler last); a value is one or per subject."""
    schedule = schedule_of([*subjects, FILLER], kind)
    mesh = mesh_of(schedule, kind, stepper)
    wide = len(subjects) + 1
    shared = {name: jnp.full(wide, values[name], float) for name in parameters(kind)}
    return program(stepper)(kind(**shared), schedule, mesh)
