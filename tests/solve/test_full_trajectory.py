"""The full model from a patient file through `solve`, against stored trajectories.

Three virtual patients at the prior medians, solved at rtol 1e-9 by another program:
states to 1e-5 relative or 1e-8 of the state's largest value in the run, probabilities
to 1e-4, the rest of the summary to 1e-5 (1e-3 absolute for the logarithm of a minimum).
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd
import pytest

from imak_pkpd.data import DataBlock
from imak_pkpd.data.read import read_dataset
from imak_pkpd.data.schedule import Schedule
from imak_pkpd.model import AbstractModel, parameters
from imak_pkpd.model.load import load_model
from imak_pkpd.solve.calibrate import calibrate
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing
from imak_pkpd.solve.stepper import AbstractStepper, Adaptive, Explicit
from imak_pkpd.solve.trajectory import Trajectory, solve
from tests.solve.exact import leaves, schedule_of
from tests.solve.medians import prior_medians

PATIENTS = {  # donor unrelated, tumour CD20+, times the dose, log10 of the tumour
    "haplo": (0.0, 0.0, 1.0, None),
    "unrelated_cd20_rituximab": (1.0, 1.0, 1.0, None),
    "haplo_dose_x3_low_burden": (0.0, 0.0, 3.0, 8.5),
}
WEIGHT, BSA = 70.0, 1.8  # kg, m2
INPUTS = {1: "cyclophosphamide", 2: "cells", 3: "il2", 4: "rituximab"}
LARGEST = {"Ic": 0.743}  # near day 4.13, between two stored days
NAMES = {"S": "C", "Spk": "lCpk"}  # the signal, and its peak (not a logarithm)


class Stored(NamedTuple):
    """What the other program gives: states by day and patient, and the summary."""

    states: pd.DataFrame
    summary: pd.DataFrame


@pytest.fixture(scope="module")
def stored(shared: Path) -> Stored:
    science = shared / "science"
    summary = pd.read_csv(science / "trajectories_summary.csv").set_index("case")
    return Stored(pd.read_csv(science / "trajectories.csv"), summary)


@pytest.fixture(scope="module")
def kind(root: Path) -> type[AbstractModel]:
    made = load_model(root / "models" / "imak_full.py")
    assert issubclass(made, AbstractModel)
    return made


@pytest.fixture(scope="module")
def medians(shared: Path) -> dict[str, float]:
    return prior_medians(shared)


@pytest.fixture(scope="module")
def model(kind: type[AbstractModel], medians: dict[str, float]) -> AbstractModel:
    """The prior medians of three patients."""
    unrelated, cd20, _, burden = zip(*PATIENTS.values(), strict=True)
    columns = {
        name: [value] * len(PATIENTS)
        for name, value in medians.items()
        if name in parameters(kind)
    }
    columns |= {"unrelated": list(unrelated), "cd20": list(cd20)}
    usual = medians["tum_log10B0"]
    columns["tum_log10B0"] = [usual if b is None else b for b in burden]
    assert set(columns) == set(parameters(kind))
    return kind(**leaves(columns))


@pytest.fixture(scope="module")
def schedule(
    kind: type[AbstractModel],
    stored: Stored,
    medians: dict[str, float],
    tmp_path_factory: pytest.TempPathFactory,
) -> Schedule:
    """Cyclophosphamide at -1 d, cells at 0, IL-2 on days 0-4; a sample a stored day."""
    rows = ["ID,TIME,EVID,AMT,CMT,DVID,DV"]
    usual = WEIGHT * medians["dose_kg"]
    for name, (_, cd20, times, _) in PATIENTS.items():
        doses = [(-1.0, 1000 * BSA, 1), (0.0, times * usual, 2)]
        doses += [(float(day), 6 * BSA, 3) for day in range(5)]
        doses += [(0.0, 375 * BSA, 4)] * int(cd20)
        days = stored.states.loc[stored.states["case"] == name, "day"]
        records = [(t, f"{name},{t},1,{amount},{cmt},.,.") for t, amount, cmt in doses]
        records += [(t, f"{name},{t},0,.,.,1,1") for t in days]
        rows += [text for _, text in sorted(records, key=lambda record: record[0])]
    folder = tmp_path_factory.mktemp("full")
    (folder / "full.csv").write_text("\n".join(rows) + "\n")
    block = DataBlock(file=Path("full.csv"), time="day", inputs=INPUTS)
    return schedule_of(read_dataset(block, folder), kind, INPUTS)


Solve = Callable[[AbstractModel, Schedule, Mesh], Trajectory]


def solver(stepper: AbstractStepper) -> Solve:
    return jax.jit(lambda m, s, g: solve(m, s, g, stepper))


@pytest.fixture(scope="module")
def mesh(kind: type[AbstractModel], model: AbstractModel, schedule: Schedule) -> Mesh:
    """1e-9 a step: the peak of the cytokine has a corner that an estimate misses."""
    return calibrate([model], schedule, declared_dosing(kind), 1e-9)


@pytest.fixture(scope="module", params=["mesh", "adaptive"])
def path(
    request: pytest.FixtureRequest,
    kind: type[AbstractModel],
    model: AbstractModel,
    schedule: Schedule,
    mesh: Mesh,
) -> tuple[Trajectory, Mesh]:
    if request.param == "mesh":
        return solver(Explicit())(model, schedule, mesh), mesh
    events = build_mesh(schedule, declared_dosing(kind))
    accurate = Adaptive(1e-10, 1e-10, max_steps=20_000)
    return solver(accurate)(model, schedule, events), events


def test_every_state(path: tuple[Trajectory, Mesh], stored: Stored) -> None:
    trajectory, grid = path
    assert np.all(np.asarray(trajectory.status) == 0)
    shares = {}
    for row, name in enumerate(PATIENTS):
        true = stored.states[stored.states["case"] == name]
        seen = np.asarray(grid.at)[row, : len(true)]
        for state in type(trajectory.after)._fields:
            expected = true[NAMES.get(state, state)].to_numpy()
            got = np.asarray(getattr(trajectory.after, state))[row, seen]
            largest = LARGEST.get(state, np.abs(expected).max())
            limit = np.maximum(1e-5 * np.abs(expected), 1e-8 * largest) + 1e-300
            shares[name, state] = float(np.max(np.abs(got - expected) / limit))
    worst = max(shares, key=lambda key: shares[key])
    assert shares[worst] <= 1, (worst, shares[worst])
