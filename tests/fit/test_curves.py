"""Curves on a dense grid, against the closed form of one compartment."""

from pathlib import Path

import numpy as np
import pytest

from imak_pkpd.fit.curves import POINTS, curve_group
from imak_pkpd.fit.meshes import event_mesh, finer
from imak_pkpd.fit.posterior import effect_forms
from imak_pkpd.fit.problem import read_problem
from imak_pkpd.fit.spec import read_fit

FIT = """
problem = "a bolus, then an infusion"
model = "{root}/models/pk1_iv.py"
[data]
file = "two.csv"
time = "h"
inputs = {{ 1 = "central" }}
[output.concentration]
unit = "mg/L"
error = "additive"
sigma = {{ fixed = 0.1 }}
[theta]
CL = {{ median = 5.0, gsd = 2.0 }}
V1 = {{ median = 20.0, gsd = 2.0 }}
[omega]
CL = {{ dist = "HalfNormal", scale = 1.0 }}
form = "z"
[solver]
method = "{method}"
"""
DATA = """ID,TIME,DV,EVID,AMT,RATE
1,0,.,1,100,0
1,1,4.0,0,.,.
1,6,.,1,60,20
1,12,1.0,0,.,.
2,2,.,1,80,0
2,9,2.5,0,.,.
"""
DRAWS = {
    "theta_CL": np.log([4.0, 5.0, 7.0]),
    "theta_V1": np.log([20.0, 22.0, 18.0]),
    "omega_CL": np.array([0.3, 0.2, 0.5]),
    "z_CL": np.array([[0.1, -1.0], [0.0, 2.0], [-0.7, 0.4]]),
}


def amount(t: np.ndarray, k: np.ndarray, subject: int) -> np.ndarray:
    """The amount in the body after doses of both kinds; 20 mg/h from 6 h to 9 h."""
    if subject == 1:
        return 80.0 * np.exp(-k * (t - 2.0))
    on, off = (np.clip(t - x, 0, None) for x in (6.0, 9.0))
    infused = 20.0 / k * (np.exp(-k * off) - np.exp(-k * on))
    return 100.0 * np.exp(-k * t) + infused


# 64 Tsit5 steps between events, each k h < 0.04: its error is near (k h)^5
@pytest.mark.parametrize(
    ("method", "halvings", "error"), [("closed", 0, 1e-12), ("mesh", 6, 1e-7)]
)
def test_curves_are_quantiles_of_the_closed_form(
    root: Path, tmp_path: Path, method: str, halvings: int, error: float
) -> None:
    (tmp_path / "two.csv").write_text(DATA)
    (tmp_path / "fit.toml").write_text(FIT.format(root=root, method=method))
    problem = read_problem(read_fit(tmp_path / "fit.toml"))
    forms = effect_forms(problem.spec, problem.schedule)
    mesh = event_mesh(problem)
    for _ in range(halvings):
        mesh = finer(problem, mesh)
    made = curve_group(problem, forms, mesh, DRAWS)
    time = made["curve_time"].values
    assert time.shape == (2, POINTS)
    np.testing.assert_array_equal(time[:, [0, -1]], [[0, 12], [2, 9]])
    assert {1.0, 6.0} <= set(time[0])  # the records are among them
    volume = np.exp(DRAWS["theta_V1"])[:, None]
    for subject in (0, 1):
        own = DRAWS["theta_CL"] + DRAWS["omega_CL"] * DRAWS["z_CL"][:, subject]
        t = time[subject]
        band, typical = (
            np.quantile(
                amount(t, np.exp(cl)[:, None] / volume, subject) / volume, q, axis=0
            )
            for cl, q in ((own, [0.05, 0.5, 0.95]), (DRAWS["theta_CL"], 0.5))
        )
        found = [
            made[f"curve_{n}"].values[subject, :, 0] for n in ("low", "median", "high")
        ]
        np.testing.assert_allclose(found, band, rtol=error)
        found = made["curve_population"].values[subject, :, 0]
        np.testing.assert_allclose(found, typical, rtol=error)
