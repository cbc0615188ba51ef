"""Weight at every record, clearance following it: NONMEM's NOCB, against LOCF."""

from pathlib import Path

import numpy as np
import pytest

from imak_pkpd.model.load import load_model
from imak_pkpd.solve.stepper import (
    AbstractStepper,
    Adaptive,
    Exact,
    Explicit,
    Rosenbrock,
)
from tests.solve.exact import leaves, mesh_of, read_case, schedule_of, worst_errors

STEPPERS = [
    pytest.param(Exact(), None, 1e-8, id="closed form"),
    pytest.param(Explicit(), 0.05, 1e-6, id="mesh"),
    pytest.param(Rosenbrock(), 0.05, 1e-6, id="rosenbrock"),
    pytest.param(Adaptive(1e-10, 1e-10), None, 1e-6, id="adaptive"),
]
PARAMETERS = {"KA": 1.5, "CL": 1.1, "V": 20.0}  # of the case


def solved(
    cases: Path, root: Path, file: str, rule: str, stepper: AbstractStepper, step: float
) -> float:
    kind = load_model(root / "tests/reference_models" / file)
    inputs, rules = {1: "depot"}, {"WT": rule}
    dataset = read_case(
        cases / "time-varying-covariate",
        "cp_exact_nocb",
        inputs=inputs,
        covariates=rules,
    )
    schedule = schedule_of(dataset, kind, inputs, rules)
    values = PARAMETERS
    if file == "event_semantics.py":
        weight = schedule.covariates.value[..., 0]
        clearance = 1.1 * (weight / 70.0) ** 0.75
        extra = {"F2": 1.0, "ALAG2": 0.0, "R2": 1.0, "D2": 1.0}
        values = PARAMETERS | extra | {"CL": clearance}
    model = kind(**leaves(values))
    mesh = mesh_of(schedule, kind, step)
    return max(worst_errors(model, schedule, mesh, stepper).values())


@pytest.mark.parametrize("file", ["weight_in_rates.py", "event_semantics.py"])
@pytest.mark.parametrize(("stepper", "step", "tolerance"), STEPPERS)
def test_nocb(
    cases: Path,
    root: Path,
    file: str,
    stepper: AbstractStepper,
    step: float,
    tolerance: float,
) -> None:
    """Through the rates and as a parameter per setting; the case's limits."""
    assert solved(cases, root, file, "nocb", stepper, step) <= tolerance


def test_locf_is_another_answer(cases: Path, root: Path) -> None:
    """The two rules differ by several per cent here, so the test above can fail."""
    error = solved(cases, root, "weight_in_rates.py", "locf", Exact(), 0.0)
    assert error > 0.01
    assert np.isfinite(error)
