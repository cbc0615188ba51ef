"""Each module of the therapy alone, its surroundings given as columns of the data.

The full model says what the surroundings are (100 times a day); a module that is given
them must follow the full model, to the error of carrying them linearly.
"""

from collections.abc import Callable, Mapping
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
from imak_pkpd.solve.mesh import build_mesh, declared_dosing
from imak_pkpd.solve.stepper import Adaptive
from imak_pkpd.solve.trajectory import Trajectory, solve
from tests.solve.exact import leaves, schedule_of
from tests.solve.medians import prior_medians

CELLS, DAYS = 7e9, 10.0
BEFORE = -1e-6  # a sample just before the infusion: a line carries the jump in no time
GRID = np.sort(np.append(np.round(np.arange(-1.0, DAYS + 0.005, 0.01), 2), BEFORE))
# A line over 0.01 d misses a curve of rates up to 12/d by (12 x 0.01)²/8 = 2e-3 of
# itself at worst, for hours after each dose; the states that follow are off by less.
LIMIT = 1e-3


class Whole(NamedTuple):
    """The full model on GRID: states as columns, what else the modules are given."""

    states: pd.DataFrame
    medians: Mapping[str, float]


def solved(
    kind: type[AbstractModel], schedule: Schedule, values: Mapping[str, float]
) -> Trajectory:
    model = kind(**leaves({name: [values[name]] for name in parameters(kind)}))
    mesh = build_mesh(schedule, declared_dosing(kind))
    run = jax.jit(lambda m, s, g: solve(m, s, g, Adaptive(1e-9, 1e-9)))
    path = run(model, schedule, mesh)
    assert int(path.status[0]) == 0
    return path


def at_samples(path: Trajectory) -> pd.DataFrame:
    """States on GRID, after all that happens there."""
    seen = np.searchsorted(np.asarray(path.time)[0], GRID, "right") - 1
    return pd.DataFrame(
        {name: np.asarray(x)[0, seen] for name, x in path.after._asdict().items()}
    )


@pytest.fixture(scope="module")
def whole(root: Path, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Cyclophosphamide, cells, IL-2 and rituximab in a CD20+ patient, donor haplo."""
    kind = load_model(root / "models" / "imak_full.py")
    medians = prior_medians(shared) | {"unrelated": 0.0, "cd20": 1.0}
    inputs = {1: "cyclophosphamide", 2: "cells", 3: "il2", 4: "rituximab"}
    doses = [(-1.0, 1800.0, 1), (0.0, CELLS, 2), (0.0, 675.0, 4)]
    doses += [(float(day), 10.8, 3) for day in range(5)]
    records = [(t, f"1,{t},1,{amount},{cmt},.") for t, amount, cmt in doses]
    records += [(t, f"1,{t},0,.,.,1") for t in GRID]
    lines = [line for _, line in sorted(records, key=lambda record: record[0])]
    schedule = written(
        tmp_path_factory.mktemp("full"),
        ["ID,TIME,EVID,AMT,CMT,DV", *lines],
        kind,
        inputs,
    )
    states = at_samples(solved(kind, schedule, medians))
    return Whole(states, medians)


def written(
    folder: Path,
    lines: list[str],
    kind: type[AbstractModel],
    inputs: Mapping[int, str],
    rules: Mapping[str, str] | None = None,
) -> Schedule:
    (folder / "data.csv").write_text("\n".join(lines) + "\n")
    block = DataBlock(
        file=Path("data.csv"), time="day", inputs=dict(inputs), covariates=rules or {}
    )
    return schedule_of(read_dataset(block, folder), kind, inputs, rules)


def alone(
    name: str, whole: Whole, given: Mapping[str, np.ndarray], folder: Path, root: Path
) -> pd.DataFrame:
    """The states of a module from day 0 (`cells`) or -1 on, its inputs `given`."""
    kind = load_model(root / "models" / f"{name}.py")
    dosed = "cells" in kind.doses
    values = {**whole.medians, "mismatch": whole.medians["rej_mhap"], "don_lag": 0.0}
    head = ",".join(["ID,TIME,EVID,AMT,CMT,DV", *given])
    values_at = np.column_stack([GRID, *given.values()]).tolist()
    rows = [
        f"1,{t!r},0,.,.,1," + ",".join(map(repr, outside)) for t, *outside in values_at
    ]
    zero = int(np.flatnonzero(GRID == 0.0)[0])
    if dosed:
        dose = rows[zero].replace(",0,.,.,1,", f",1,{CELLS},1,.,")
        rows = [*rows[:zero], dose, *rows[zero:]]
    rules = dict.fromkeys(given, "linear")
    schedule = written(
        folder, [head, *rows], kind, {1: "cells"} if dosed else {}, rules
    )
    return at_samples(solved(kind, schedule, values))


Given = Callable[[pd.DataFrame, Mapping[str, float]], Mapping[str, pd.Series]]

MODULES: dict[str, tuple[tuple[str, ...], Given]] = {
    "donor_kinetics": (
        ("N", "DA", "DB"),
        lambda x, p: {
            "host": x["H"],
            "killers": x["A2"],
            "il2": 1e3 * x["Ic"] / p["il2_V"],
            "cyclophosphamide": x["Acy"] / p["cy_V"],
        },
    ),
    "rejection": (
        ("A0", "A1", "A2"),
        lambda x, p: {
            "donor": x["N"] + x["DA"] + x["DB"],
            "alloreactive": x["DA"],
            "cyclophosphamide": x["Acy"] / p["cy_V"],
        },
    ),
    "tumour_kill": (
        ("lS", "lR", "Z"),
        lambda x, p: {
            "nk": x["N"],
            "alloreactive": x["DA"],
            "bystander": x["DB"],
            "killers": x["A2"],
            "cyclophosphamide": x["Acy"] / p["cy_V"],
            "rituximab": x["R1"] / p["rtx_V1"],
        },
    ),
}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_follows_the_full_model(
    name: str, whole: Whole, root: Path, tmp_path: Path
) -> None:
    states, surroundings = MODULES[name]
    given = surroundings(whole.states, whole.medians)
    found = alone(
        name, whole, {k: v.to_numpy() for k, v in given.items()}, tmp_path, root
    )
    for state in states:
        true = whole.states[state].to_numpy()
        error = np.abs(found[state].to_numpy() - true).max() / np.abs(true).max()
        assert error <= LIMIT, (state, error)


DRUGS = {
    "il2_subcutaneous": (
        "il2",
        [(float(day), 10.8) for day in range(5)],
        ("Isc", "Ic"),
    ),
    "rituximab": ("rituximab", [(0.0, 675.0)], ("R1", "R2")),
    "cyclophosphamide_lymphocytes": (
        *("cyclophosphamide", [(-1.0, 1800.0)]),
        ("Acy", "Enz", "H"),
    ),
}


@pytest.mark.parametrize("name", DRUGS)
def test_a_drug_needs_no_surroundings(
    name: str, whole: Whole, root: Path, tmp_path: Path
) -> None:
    dose, doses, states = DRUGS[name]
    kind = load_model(root / "models" / f"{name}.py")
    records = [(t, f"1,{t},1,{amount},1,.") for t, amount in doses]
    records += [(t, f"1,{t},0,.,.,1") for t in GRID]
    lines = [line for _, line in sorted(records, key=lambda record: record[0])]
    head = "ID,TIME,EVID,AMT,CMT,DV"
    schedule = written(tmp_path, [head, *lines], kind, {1: dose})
    found = at_samples(solved(kind, schedule, whole.medians))
    for state in states:
        true = whole.states[state].to_numpy()
        error = np.abs(found[state].to_numpy() - true).max() / np.abs(true).max()
        assert error <= 1e-7, (state, error)
