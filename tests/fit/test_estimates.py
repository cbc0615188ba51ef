"""Estimands of a fit at given draws, against the closed form of one compartment."""

from pathlib import Path

import jax
import numpy as np
import pytest
from jaxtyping import Float

from imak_pkpd.fit.estimates import estimand_group
from imak_pkpd.fit.meshes import event_mesh, finer
from imak_pkpd.fit.posterior import effect_forms
from imak_pkpd.fit.problem import read_problem
from imak_pkpd.fit.spec import read_fit

FIT = """
problem = "boluses"
model = "{root}/models/pk1_iv.py"
[data]
file = "three.csv"
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
[estimand]
gone = {{ kind = "crossing", output = "concentration", below = 1.0 }}
window = {{ kind = "time_above", output = "concentration", above = 2.0 }}
auc = {{ kind = "area", output = "concentration" }}
top = {{ kind = "peak", output = "concentration", dose = "central" }}
[solver]
method = "{method}"
"""
# two boluses; one whose TIME restarts at its second dose; nobody's dose
DATA = """ID,TIME,DV,EVID,AMT
1,0,.,1,100
1,8,.,1,60
1,20,1.0,0,.
2,0,.,1,100
2,5,2.0,0,.
2,0,.,4,80
2,12,1.5,0,.
3,1,1.0,0,.
3,9,1.0,0,.
"""
DRAWS = {
    "theta_CL": np.log([4.0, 9.0]),
    "theta_V1": np.log([20.0, 15.0]),
    "omega_CL": np.array([0.3, 0.2]),
    "z_CL": np.array([[0.1, -1.0, 0.5], [0.0, -10.0, 2.0]]),
}
CL = np.exp(DRAWS["theta_CL"][:, None] + DRAWS["omega_CL"][:, None] * DRAWS["z_CL"])
V = np.exp(DRAWS["theta_V1"])[:, None]
RATE = CL / V
# concentration just after the last dose, and the time from there to the last record
HEIGHT = np.stack([(60 + 100 * np.exp(-8 * RATE[:, 0])) / V[:, 0], 80 / V[:, 0]], 1)
AFTER = np.array([12.0, 12.0])


# of the mesh: 256 Tsit5 steps an interval, and the cubic of a curve 1/200 of 20 h long
METHODS = pytest.mark.parametrize(
    ("method", "error"), [("closed", 1e-6), ("mesh", 1e-6)]
)


def found_in(
    folder: Path, fit: str, root: Path, method: str
) -> dict[str, Float[np.ndarray, "draw subject"]]:
    """Every estimand of the three patients at both draws."""
    (folder / "three.csv").write_text(DATA)
    (folder / "fit.toml").write_text(fit.format(root=root, method=method))
    problem = read_problem(read_fit(folder / "fit.toml"))
    forms = effect_forms(problem.spec, problem.schedule)
    mesh = event_mesh(problem)
    for _ in range(8 if method == "mesh" else 0):
        mesh = finer(problem, mesh)
    made = estimand_group(problem, forms, mesh, DRAWS, chains=1)
    return {name: made[name].values[0] for name in made}


@METHODS
def test_estimands_of_the_closed_form(
    root: Path, tmp_path: Path, method: str, error: float
) -> None:
    found = found_in(tmp_path, FIT, root, method)
    k = RATE[:, :2]
    gone = np.log(HEIGHT) / k
    crossed = gone < AFTER
    assert crossed.any()
    assert not crossed.all()  # the draws have both
    np.testing.assert_array_equal(found["gone_outcome"][:, :2], np.where(crossed, 1, 2))
    np.testing.assert_allclose(
        found["gone"][:, :2], np.where(crossed, gone, np.nan), rtol=error
    )
    window = np.minimum(np.log(HEIGHT / 2) / k, AFTER)
    np.testing.assert_allclose(found["window"][:, :2], window, rtol=error)
    area = HEIGHT / k * -np.expm1(-k * AFTER)
    np.testing.assert_allclose(found["auc"][:, :2], area, rtol=error)
    np.testing.assert_allclose(found["top"][:, :2], HEIGHT, rtol=error)
    # without a dose it counts from the first record, and there is nothing
    np.testing.assert_array_equal(found["gone_outcome"][:, 2], 0)
    assert np.isnan(found["gone"][:, 2]).all()
    np.testing.assert_array_equal(found["top"][:, 2], 0.0)


FURTHER = """
ahead = {{ kind = "crossing", output = "concentration", below = 0.01, horizon = 400.0 }}
total = {{ kind = "area", output = "concentration", horizon = 400.0 }}
early = {{ kind = "area", output = "concentration", horizon = 3.7 }}
later = {{ kind = "value", output = "concentration", at = 30.0 }}
[solver]"""


@METHODS
def test_beyond_the_last_record(
    root: Path, tmp_path: Path, method: str, error: float
) -> None:
    """The curve goes on without a dose; what ends with the records still does."""
    before = found_in(tmp_path, FIT, root, method)
    fit = FIT.replace("[solver]", FURTHER.lstrip())
    found = found_in(tmp_path, fit, root, method)
    k, height = RATE[:, :2], HEIGHT
    crossed = np.log(height / 0.01) / k
    assert (crossed > AFTER).sum() > 2  # the records of one end later
    assert (crossed < 400.0).all()
    np.testing.assert_array_equal(found["ahead_outcome"][:, :2], 1)
    np.testing.assert_allclose(found["ahead"][:, :2], crossed, rtol=error)
    for name, span in (("total", 400.0), ("early", 3.7)):
        area = height / k * -np.expm1(-k * span)
        np.testing.assert_allclose(found[name][:, :2], area, rtol=error)
    np.testing.assert_allclose(
        found["later"][:, :2], height * np.exp(-k * 30.0), rtol=error, atol=1e-9
    )  # one has fallen to 6e-8 by then
    for name, values in before.items():
        np.testing.assert_allclose(found[name], values, rtol=error)


def test_no_estimand_no_group(root: Path, tmp_path: Path) -> None:
    text = FIT.format(root=root, method="closed")
    (tmp_path / "three.csv").write_text(DATA)
    without = text[: text.index("[estimand]")] + text[text.index("[solver]") :]
    (tmp_path / "fit.toml").write_text(without)
    problem = read_problem(read_fit(tmp_path / "fit.toml"))
    forms = effect_forms(problem.spec, problem.schedule)
    sites = jax.tree.map(np.asarray, DRAWS)
    assert estimand_group(problem, forms, event_mesh(problem), sites, 1) == {}
