"""A subject that cannot be solved is a status with a time, and no NaN reaches others.

One saturable elimination, solved on the mesh: subjects of one call have parameters of
their own, so that one program shows every way to fail.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imak_pkpd.model.load import load_model
from imak_pkpd.solve.status import SolveStatus
from imak_pkpd.solve.stepper import Adaptive
from imak_pkpd.solve.trajectory import Prediction, predict
from tests.solve.records import (
    MESH,
    Subject,
    dose,
    mesh_of,
    model_of,
    other,
    schedule_of,
    seen,
)

KIND = load_model(Path(__file__).parents[1] / "reference_models/michaelis_menten.py")
USUAL = {
    "KA": 1.0, "VM": 10.0, "KM": 2.0, "V": 20.0, "BASE": 0.1, "TLAG": 1.0, "BIO": 0.9,
    "RATE": 20.0, "LAST": 3.0,
}  # fmt: skip
TIMES = (20.5, 24.0, 30.0)

BOLUSES = [other(0.0), dose(20.0, 100.0, SS=1, II=24.0), *seen(*TIMES)]
INFUSIONS = [other(0.0), dose(20.0, 100.0, RATE=30.0, SS=1, II=24.0), *seen(*TIMES)]
CONSTANT = [other(0.0), dose(20.0, 0.0, RATE=8.0, SS=1), *seen(*TIMES)]
PLAIN = [other(0.0), dose(20.0, 100.0), *seen(*TIMES)]

CASES: Mapping[str, tuple[Subject, dict[str, float], SolveStatus]] = {
    "boluses": (BOLUSES, {}, SolveStatus.ok),
    # 90 mg arrive in 24 h: the capacity is reached at 3.75 mg/h
    "more boluses than capacity": (BOLUSES, {"VM": 3.7}, SolveStatus.no_steady_state),
    "just enough capacity": (BOLUSES, {"VM": 3.8}, SolveStatus.ok),
    # at 30 mg/h for 3 h the mean is what counts, not the rate above the capacity
    "infusions": (INFUSIONS, {}, SolveStatus.ok),
    "more infused than capacity": (INFUSIONS, {"VM": 3.7}, SolveStatus.no_steady_state),
    "constant": (CONSTANT, {}, SolveStatus.ok),
    "constant above capacity": (CONSTANT, {"VM": 7.9}, SolveStatus.no_steady_state),
    "constant at capacity": (CONSTANT, {"VM": 8.0}, SolveStatus.no_steady_state),
    # two past boluses are kept: a lag may reach back less than three intervals
    "a lag of two intervals": (BOLUSES, {"TLAG": 71.0}, SolveStatus.ok),
    "a lag of three intervals": (BOLUSES, {"TLAG": 73.0}, SolveStatus.past_doses),
    # 30 mg/h for 3 h: three past infusions are kept
    "a lag of four infusions": (INFUSIONS, {"TLAG": 97.0}, SolveStatus.past_doses),
    "a rate beyond any number": (PLAIN, {"VM": 1e308}, SolveStatus.not_finite),
    "a rate beyond any amount": (PLAIN, {"VM": 1e260}, SolveStatus.not_finite),
}


@pytest.fixture(scope="module")
def solved() -> tuple[dict[str, tuple[int, float]], Prediction]:
    """(status, when) of every case, from one call."""
    found = _solve(_values())
    names = dict(zip(CASES, np.asarray(found.status).tolist(), strict=False))
    when = np.asarray(found.when).tolist()
    return {n: (s, t) for (n, s), t in zip(names.items(), when, strict=False)}, found


def _values() -> dict[str, np.ndarray]:
    rows = [USUAL | changed for _, changed, _ in CASES.values()]
    return {name: np.array([row[name] for row in rows]) for name in USUAL}


def _solve(values: Mapping[str, Any]) -> Prediction:
    subjects = [subject for subject, _, _ in CASES.values()]
    schedule = schedule_of([*subjects, PLAIN], KIND)
    mesh = mesh_of(schedule, KIND, MESH)
    model = model_of(KIND, values, len(subjects))
    return jax.jit(lambda m, s, g: predict(m, s, g, MESH))(model, schedule, mesh)


@pytest.mark.parametrize("case", CASES)
def test_the_status_and_its_time(
    case: str, solved: tuple[dict[str, tuple[int, float]], Prediction]
) -> None:
    """A steady state fails at the TIME of its record, a state where it is reached."""
    expected = CASES[case][2]
    status, when = solved[0][case]
    assert SolveStatus(status) is expected
    arrival = 20.0 + USUAL["TLAG"]  # of the dose that the state does not survive
    times = {SolveStatus.ok: np.inf, SolveStatus.not_finite: arrival}
    assert when == times.get(expected, 20.0)


def test_the_constant_steady_state_is_that_of_michaelis_and_menten(
    solved: tuple[dict[str, tuple[int, float]], Prediction],
) -> None:
    """c = KM r / (VM - r); the first observation is half an hour after the record."""
    row = list(CASES).index("constant")
    v = USUAL
    start = v["KM"] * 8.0 / (v["VM"] - 8.0)
    later = np.asarray(solved[1].outputs["concentration"])[row, 0] - v["BASE"]
    # time to fall from c0 to c: V (c0 - c + KM ln(c0 / c)) / VM
    hours = v["V"] * (start - later + v["KM"] * np.log(start / later)) / v["VM"]
    assert hours == pytest.approx(0.5, rel=1e-6)


def test_a_failed_subject_leaves_the_others_as_they_are(
    solved: tuple[dict[str, tuple[int, float]], Prediction],
) -> None:
    """With every parameter as usual: who was solved before has equal numbers."""
    usual = {name: np.full(len(CASES), USUAL[name]) for name in USUAL}
    alone = _solve(usual)
    same = [i for i, (_, changed, _) in enumerate(CASES.values()) if not changed]
    for i in same:
        np.testing.assert_array_equal(
            np.asarray(alone.outputs["concentration"])[i],
            np.asarray(solved[1].outputs["concentration"])[i],
        )
    assert len(same) >= 3
    assert not np.any(np.isnan(np.asarray(solved[1].outputs["concentration"])))


def test_too_many_steps_is_a_status_with_its_time() -> None:
    """An adaptive solver with four steps for ten hours."""
    schedule = schedule_of([PLAIN[1:]], KIND)
    mesh = mesh_of(schedule, KIND, Adaptive())
    model = KIND(**{name: jnp.full(1, USUAL[name]) for name in USUAL})
    found = predict(model, schedule, mesh, Adaptive(max_steps=4))
    assert found.status.tolist() == [SolveStatus.too_many_steps]
    assert 20.0 <= float(found.when[0]) < 30.0
