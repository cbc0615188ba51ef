"""Ten thousand draws of priors wider than stated: every one is solved, or is counted.

Lognormal, logitnormal and normal priors of the science's table with 1.5 times their
scale, the spread between patients added; the adaptive solver, a year of follow-up.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from jaxtyping import Float

from imak_pkpd.data import DataBlock
from imak_pkpd.data.read import read_dataset
from imak_pkpd.model import from_scale, parameters
from imak_pkpd.model.load import load_model
from imak_pkpd.solve.mesh import build_mesh, declared_dosing
from imak_pkpd.solve.status import SolveStatus
from imak_pkpd.solve.stepper import Adaptive
from imak_pkpd.solve.trajectory import solve
from tests.solve.exact import schedule_of
from tests.solve.medians import FAMILIES

DRAWS, WIDER = 10_000, 1.5
UNSOLVED = 0.005  # share that may need more than 4,096 steps between two events
SOLVER = Adaptive(1e-6, 1e-6)
LATE = 10.0  # d: after it no donor cell is infused

Draws = dict[str, Float[np.ndarray, " draw"]]


class Solved(NamedTuple):
    """By draw: how the solve ended, times, and states [draw, node] by name."""

    status: np.ndarray
    time: np.ndarray
    states: Mapping[str, np.ndarray]


def drawn(shared: Path, names: list[str]) -> Draws:
    """Parameters from the table; columns of the data are 0 or 1."""
    priors = pd.read_csv(shared / "science" / "priors.csv").set_index("name")
    rng, found = np.random.default_rng(3), {}
    for name in names:
        if name not in priors.index:
            found[name] = rng.integers(0, 2, DRAWS).astype(float)
            continue
        row = priors.loc[name]
        sd = np.hypot(WIDER * row.scale, row.bsv_omega)
        there = jnp.asarray(row.location + sd * rng.standard_normal(DRAWS))
        found[name] = np.asarray(from_scale(there, FAMILIES[row.prior_family]))
    return found


def solve_all(
    model: Path, rows: list[str], inputs: dict[int, str], draws: Draws
) -> Solved:
    """One patient, solved at every draw."""
    kind = load_model(model)
    folder = model.parent
    block = DataBlock(file=Path("wide.csv"), time="day", inputs=inputs)
    (folder / "wide.csv").write_text(
        "\n".join(["ID,TIME,EVID,AMT,CMT,DVID,DV", *rows]) + "\n"
    )
    schedule = schedule_of(read_dataset(block, folder), kind, inputs)
    mesh = build_mesh(schedule, declared_dosing(kind))

    def one(values: dict[str, jax.Array]) -> tuple:
        path = solve(
            kind(**{k: v[None] for k, v in values.items()}), schedule, mesh, SOLVER
        )
        return (
            path.status[0],
            path.time[0],
            {k: v[0] for k, v in path.after._asdict().items()},
        )

    run = jax.jit(lambda xs: jax.lax.map(one, xs, batch_size=50))
    return Solved(*jax.tree.map(np.asarray, run(jax.tree.map(jnp.asarray, draws))))


def check(solved: Solved) -> None:
    """No number that is not one, no hang; a failure has a reason and is rare."""
    assert all(np.isfinite(x).all() for x in solved.states.values())
    reasons = set(solved.status.tolist())
    assert reasons <= {int(SolveStatus.ok), int(SolveStatus.too_many_steps)}
    share = float(np.mean(solved.status != SolveStatus.ok))
    print(f"{share:.2%} of {len(solved.status)} draws need too many steps")
    assert share <= UNSOLVED


@pytest.fixture
def copied(root: Path, tmp_path: Path) -> Path:
    for path in (root / "models").glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text())
    return tmp_path


@pytest.mark.slow
def test_the_full_model(shared: Path, copied: Path) -> None:
    """Exposures are never negative; no clone comes back from less than a cell."""
    model = copied / "imak_full.py"
    records = [(-1.0, "1,1800,1,.,."), (0.0, "1,7e9,2,.,."), (0.0, "1,675,4,.,.")]
    records += [(float(day), "1,10.8,3,.,.") for day in range(5)]
    seen = (0.25, 1, 3, 6, 10, 14, 21, 28, 45, 60, 90, 120, 180, 240, 365)
    records += [(float(day), "0,.,.,1,1") for day in seen]
    rows = [f"1,{t},{rest}" for t, rest in sorted(records, key=lambda r: r[0])]
    inputs = {1: "cyclophosphamide", 2: "cells", 3: "il2", 4: "rituximab"}
    solved = solve_all(
        model, rows, inputs, drawn(shared, list(parameters(load_model(model))))
    )
    check(solved)
    states = solved.states
    for name in ("N", "DA", "DB", "X", "Spk"):
        largest = states[name].max(1, keepdims=True)
        assert (states[name] >= -1e-12 * largest).all(), name
    late = solved.time[0] >= LATE
    donor = (states["N"] + states["DA"] + states["DB"])[:, late]
    lowest = np.minimum.accumulate(donor, axis=1)
    assert not ((lowest < 1.0) & (donor > 1e3)).any()


@pytest.mark.slow
def test_the_culture(shared: Path, copied: Path) -> None:
    model = copied / "il2_culture.py"
    rows = ["1,0,1,6000,1,.,."] + [f"1,{day},0,.,.,1,1" for day in (1, 2, 3, 4, 8)]
    draws = drawn(shared, list(parameters(load_model(model))))
    solved = solve_all(model, rows, {1: "il2"}, draws)
    check(solved)
    for name, density in solved.states.items():
        assert density.min() >= -1e-9 * density.max(), name
