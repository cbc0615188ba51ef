"""All 26 scenarios of NM-TRAN's dosing semantics, by every stepper."""

from pathlib import Path

import numpy as np
import pytest

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.model import AbstractModel
from imak_pkpd.model.load import load_model
from imak_pkpd.solve.stepper import (
    AbstractStepper,
    Adaptive,
    Exact,
    Explicit,
    Rosenbrock,
)
from tests.solve.exact import leaves, mesh_of, read_case, schedule_of, worst_errors

CARRIED = {"ALAG2": "LAGT", "F2": "BIOAV", "R2": "RAT2", "D2": "DUR2"}
FIXED = {"KA": 1.5, "CL": 1.1, "V": 20.0}  # of the case, /h, L/h, L


@pytest.fixture(scope="module")
def scenarios(cases: Path, root: Path) -> tuple[AbstractModel, Schedule]:
    """The model with the case's parameters, and the schedule of its 26 subjects."""
    kind = load_model(root / "tests/reference_models/event_semantics.py")
    columns = tuple(CARRIED.values())
    inputs = {1: "depot", 2: "central"}
    dataset = read_case(cases / "event-semantics", "cp_exact", columns, inputs=inputs)
    schedule = schedule_of(dataset, kind, inputs)
    first = np.unique(np.array(dataset.subject, int), return_index=True)[1]
    own = {p: dataset.covariates[column][first] for p, column in CARRIED.items()}
    return kind(**leaves(FIXED | own)), schedule


@pytest.mark.parametrize(
    ("stepper", "step", "tolerance"),
    [
        pytest.param(Exact(), None, 1e-9, id="closed form"),
        pytest.param(Explicit(), 0.1, 1e-6, id="mesh"),
        pytest.param(Rosenbrock(), 0.05, 1e-6, id="rosenbrock"),
        pytest.param(Adaptive(1e-9, 1e-9), None, 1e-6, id="adaptive"),
    ],
)
def test_every_scenario(
    scenarios: tuple[AbstractModel, Schedule],
    stepper: AbstractStepper,
    step: float | None,
    tolerance: float,
) -> None:
    """1e-9 by closed form (the column has 10 digits), 1e-6 by ODE: case limits."""
    model, schedule = scenarios
    mesh = mesh_of(schedule, type(model), step)
    errors = worst_errors(model, schedule, mesh, stepper)
    assert len(errors) == 26
    assert {i + 1: e for i, e in errors.items() if e > tolerance} == {}
