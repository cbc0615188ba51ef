"""The full model from a patient file through `solve`, against stored trajectories.

Three virtual patients at the prior medians, solved at rtol 1e-9 by another program:
states to 1e-5 relative or 1e-8 of the state's largest value in the run, probabilities
to 1e-4, ln(-ln P(cure)) to 0.05 (its quadrature is coarse), crossing times to the three
decimals given, the rest of the summary to 1e-5.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.estimand import (
    ExtinctionEstimand,
    Outcome,
    last_down_crossing,
    peak,
)
from imak_pkpd.fit.readings import estimates_of
from imak_pkpd.model import AbstractModel
from imak_pkpd.solve.calibrate import calibrate
from imak_pkpd.solve.curve import logarithm, mapped, value_at
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing
from imak_pkpd.solve.stepper import AbstractStepper, Adaptive, Explicit
from imak_pkpd.solve.trajectory import Trajectory, solve
from tests.solve.full_model import (
    PATIENTS,
    their_schedule,
)

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
def schedule(
    kind: type[AbstractModel],
    stored: Stored,
    medians: dict[str, float],
    tmp_path_factory: pytest.TempPathFactory,
) -> Schedule:
    """A sample a stored day."""
    days = {
        name: stored.states.loc[stored.states["case"] == name, "day"].to_list()
        for name in PATIENTS
    }
    return their_schedule(kind, medians, days, tmp_path_factory.mktemp("full"))


Solve = Callable[[AbstractModel, Schedule, Mesh], Trajectory]


def solver(stepper: AbstractStepper) -> Solve:
    return jax.jit(lambda m, s, g: solve(m, s, g, stepper))


@pytest.fixture(scope="module")
def mesh(kind: type[AbstractModel], model: AbstractModel, schedule: Schedule) -> Mesh:
    """1e-9 a step: the peak of the cytokine has a corner that an estimate misses."""
    return calibrate([model], schedule, declared_dosing(kind), 1e-9)


@pytest.fixture(scope="module")
def fine(model: AbstractModel, schedule: Schedule, mesh: Mesh) -> Trajectory:
    """On the mesh: nodes as close as curves between them need."""
    return solver(Explicit())(model, schedule, mesh)


@pytest.fixture(scope="module", params=["mesh", "adaptive"])
def path(
    request: pytest.FixtureRequest,
    kind: type[AbstractModel],
    model: AbstractModel,
    schedule: Schedule,
    mesh: Mesh,
    fine: Trajectory,
) -> tuple[Trajectory, Mesh]:
    if request.param == "mesh":
        return fine, mesh
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


CROSSINGS = {  # days, below 0.005 and below 1e-4: the exact ones, stated with the file
    "haplo": (2.272, 4.106),
    "unrelated_cd20_rituximab": (1.937, 3.553),
    "haplo_dose_x3_low_burden": (3.618, 5.056),
}
START = 0.0  # the infusion


CURE = ExtinctionEstimand(
    kind="extinction",
    clones={"ln_sensitive": "kill_sensitive", "ln_evading": "kill_evading"},
    growth="tum_g",
    turnover="tum_turn",
    clonogenic="clonogenic",
)
LOG_CURE = CURE.model_copy(update={"scale": "ln(-ln)"})


@pytest.mark.parametrize(("limit", "place"), [("chi_LOD", 0), (1e-4, 1)])
def test_rejection_times(
    fine: Trajectory,
    medians: dict[str, float],
    limit: str | float,
    place: int,
) -> None:
    level = jnp.asarray(medians[limit] if isinstance(limit, str) else limit)
    find = jax.vmap(lambda c: last_down_crossing(c, level, jnp.asarray(START)))
    found = find(fine.outputs["chimerism"])
    assert np.all(np.asarray(found.outcome) == Outcome.crossed)
    expected = [times[place] for times in CROSSINGS.values()]
    np.testing.assert_allclose(found.time, expected, atol=6e-4)


def test_the_summary(fine: Trajectory, model: AbstractModel, stored: Stored) -> None:

    def at(name: str, day: float) -> np.ndarray:
        look = jax.vmap(lambda c: value_at(c, jnp.asarray(day)))
        return np.asarray(look(fine.outputs[name]))

    expected = stored.summary.loc[list(PATIENTS)]
    relative = {
        "chi_d1": at("chimerism", 1.0),
        "chi_d6": at("chimerism", 6.0),
        "C_peak": at("cytokine_peak", 365.0),
        "donor_per_uL_d1": at("nk", 1.0) + at("t", 1.0),
        "H_min_over_H0": at("host", 0.0) / at("host", -1.0),
    }
    for name, value in relative.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, err_msg=name)
    grades = {f"p_grade_ge{k}": at(f"grade_{k}", 365.0) for k in (1, 2, 3, 4)}
    for name, value in {**grades, "p_gvhd": at("gvhd", 365.0)}.items():
        np.testing.assert_allclose(value, expected[name], atol=1e-4, err_msg=name)
    lowest = jax.vmap(
        lambda c: -peak(mapped(logarithm(c), jnp.negative), c.time[0]).value
    )
    tumour = fine.curve(lambda s: jnp.exp(s.lS) + jnp.exp(s.lR))
    got = np.asarray(lowest(tumour)) / np.log(10)
    np.testing.assert_allclose(got, expected["log10_L_min"], atol=1e-3)
    start = jnp.full(len(PATIENTS), START)
    log_cure = estimates_of(LOG_CURE, model, fine, start)["value"]
    want = np.log(-np.log(expected["p_cure"]))
    np.testing.assert_allclose(log_cure, want, atol=0.05)
    cure = estimates_of(CURE, model, fine, start)["value"]
    np.testing.assert_allclose(cure, np.exp(-np.exp(log_cure)), rtol=1e-12)
    assert (CURE.is_chance, LOG_CURE.is_chance) == (True, False)


def test_complete_remission(
    fine: Trajectory, medians: dict[str, float], stored: Stored
) -> None:
    """L < L_CR on one of days 28, 60 and 90; all three patients."""
    visits = jnp.asarray([28.0, 60.0, 90.0])
    seen = jax.vmap(lambda c: value_at(c, visits))(fine.outputs["tumour"])
    found = (np.asarray(seen) < 10 ** medians["out_log10LCR"]).any(1)
    assert list(found) == list(stored.summary.loc[list(PATIENTS), "cr"])
