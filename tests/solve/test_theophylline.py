"""Monolix's individual predictions of theophylline, by closed form and by the ODE."""

import csv
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imak_pkpd.fit.problem import read_problem
from imak_pkpd.fit.spec import read_fit
from imak_pkpd.solve.mesh import build_mesh, declared_dosing
from imak_pkpd.solve.stepper import AbstractStepper, Adaptive, Exact, Explicit
from imak_pkpd.solve.trajectory import predict


def table(path: Path) -> dict[str, np.ndarray]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(r[name]) for r in rows]) for name in rows[0]}


@pytest.mark.parametrize(
    ("stepper", "step"),
    [
        pytest.param(Exact(), None, id="closed form"),
        pytest.param(Explicit(), 0.1, id="mesh"),
        pytest.param(Adaptive(1e-8, 1e-8), None, id="adaptive"),
    ],
)
def test_predictions_at_the_modes(
    cases: Path, root: Path, stepper: AbstractStepper, step: float | None
) -> None:
    """rtol 1e-4: the case's limit (Monolix prints six digits)."""
    problem = read_problem(read_fit(root / "fits/001-theophylline.toml"))
    modes = table(cases / "theophylline/individual_modes.csv")
    expected = table(cases / "theophylline/expected_pred.csv")["indivPred_mode"]
    names = {"ka": "ka_mode", "V": "V_mode", "CL": "Cl_mode"}
    model = problem.model(**{ours: jnp.asarray(modes[t]) for ours, t in names.items()})
    schedule = problem.schedule
    ends = zip(schedule.begin, schedule.end, strict=True)
    extra = [np.arange(begin, end, step) for begin, end in ends] if step else None
    mesh = build_mesh(schedule, declared_dosing(problem.model), extra)
    solved = jax.jit(lambda m, s, g: predict(m, s, g, stepper))(model, schedule, mesh)
    got = np.asarray(solved.outputs["concentration"])[schedule.observations.mask]
    np.testing.assert_allclose(got, expected, rtol=1e-4)
