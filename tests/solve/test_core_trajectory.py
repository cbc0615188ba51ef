"""The core model from a patient file through `solve`, against a stored trajectory."""

from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

from imak_pkpd.data import DataBlock
from imak_pkpd.data.read import read_dataset
from imak_pkpd.data.schedule import Schedule
from imak_pkpd.model import AbstractModel
from imak_pkpd.model.load import load_model
from imak_pkpd.solve.calibrate import calibrate
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing
from imak_pkpd.solve.split import Split
from imak_pkpd.solve.stepper import AbstractStepper, Adaptive, Explicit
from imak_pkpd.solve.trajectory import solve
from tests.model.test_imak_core import MEDIANS
from tests.solve.exact import leaves, schedule_of

STATES = ("D", "P", "R", "H", "l", "Z")
CELLS = {1: "cells"}


@pytest.fixture(scope="module")
def stored(shared: Path) -> pd.DataFrame:
    """All states at the prior medians, 7e9 cells at t = 0, by another program."""
    return pd.read_csv(shared / "science" / "core_trajectory.csv")


@pytest.fixture(scope="module")
def kind(root: Path) -> type[AbstractModel]:
    made = load_model(root / "models" / "imak_core.py")
    assert issubclass(made, AbstractModel)
    return made


@pytest.fixture(scope="module")
def schedule(
    kind: type[AbstractModel],
    stored: pd.DataFrame,
    tmp_path_factory: pytest.TempPathFactory,
) -> Schedule:
    """One patient: the infusion, and a measurement on every stored day."""
    folder = tmp_path_factory.mktemp("core")
    rows = [f"1,{day},0,.,.,1" for day in stored["day"]]
    head = "ID,TIME,EVID,AMT,CMT,DV"
    text = "\n".join([head, "1,0,1,7e9,1,.", *rows]) + "\n"
    (folder / "core.csv").write_text(text)
    block = DataBlock(file=Path("core.csv"), time="day", inputs=CELLS)
    return schedule_of(read_dataset(block, folder), kind, CELLS)


def worst(
    kind: type[AbstractModel],
    schedule: Schedule,
    mesh: Mesh,
    stepper: AbstractStepper,
    stored: pd.DataFrame,
) -> dict[str, float]:
    """The worst error of every state, as a share of its limit.

    The limits of the stored file: 1e-6 relative or one cell, and 1e-6 for l.
    """
    program = jax.jit(lambda m, s, g: solve(m, s, g, stepper))
    path = program(kind(**leaves(MEDIANS)), schedule, mesh)
    assert int(path.status[0]) == 0
    seen = np.asarray(mesh.at)[0, : len(stored)]
    shares = {}
    for name in STATES:
        true = stored[name].to_numpy()
        got = np.asarray(getattr(path.after, name))[0, seen]
        limit = 1e-6 if name == "l" else np.maximum(1e-6 * np.abs(true), 1.0)
        shares[name] = float(np.max(np.abs(got - true) / limit))
    return shares


@pytest.mark.parametrize("stepper", [Explicit(), Split()], ids=["explicit", "split"])
def test_calibrated_mesh(
    kind: type[AbstractModel],
    schedule: Schedule,
    stored: pd.DataFrame,
    stepper: AbstractStepper,
) -> None:
    """1e-9 per step: some hundred steps add up to less than 1e-6."""
    pilot = kind(**leaves({name: [value] for name, value in MEDIANS.items()}))
    mesh = calibrate([pilot], schedule, declared_dosing(kind), 1e-9, stepper)
    shares = worst(kind, schedule, mesh, stepper, stored)
    assert max(shares.values()) <= 1, shares


def test_donor_cells_as_a_logarithm_take_half_the_steps(
    kind: type[AbstractModel], schedule: Schedule
) -> None:
    pilot = [kind(**leaves({name: [value] for name, value in MEDIANS.items()}))]
    asked = pilot, schedule, declared_dosing(kind), 1e-4
    explicit, split = (
        len(np.unique(calibrate(*asked, each).clock)) for each in (Explicit(), Split())
    )
    days = len(np.unique(build_mesh(schedule, declared_dosing(kind)).clock))
    assert split - days <= 0.5 * (explicit - days)


def test_adaptive(
    kind: type[AbstractModel], schedule: Schedule, stored: pd.DataFrame
) -> None:
    mesh = build_mesh(schedule, declared_dosing(kind))
    shares = worst(kind, schedule, mesh, Adaptive(1e-11, 1e-6), stored)
    assert max(shares.values()) <= 1, shares
