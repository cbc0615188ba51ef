"""Predictions and residuals of draws, against the same computed by NumPy."""

import jax
import numpy as np
import pytest

from imak_pkpd.fit.posterior import effect_forms
from imak_pkpd.fit.problem import Problem, read_problem
from imak_pkpd.fit.simulate import Simulator
from imak_pkpd.fit.spec import read_fit

MODEL = '''"""A level that falls, seen by two assays."""

import jax.numpy as jnp

from imak_pkpd.model import AbstractStatic, Scalar, parameter


class Falling(AbstractStatic):
    time = "h"
    outputs = {"level": "mg/L", "trace": "mg/L"}
    mu: Scalar = parameter("mg/L", "the level at first")

    def observe(self, t, inputs):
        now = self.mu * jnp.exp(-t)
        return {"level": now, "trace": 2.0 * now}
'''
FIT = """problem = "two errors"
model = "falling.py"
[data]
file = "falling.csv"
time = "h"
[output.level]
unit = "mg/L"
dvid = 1
error = "combined1"
additive = { dist = "HalfNormal", scale = 1.0 }
proportional = { fixed = 0.3 }
[output.trace]
unit = "mg/L"
dvid = 2
error = "lognormal"
sigma = { dist = "HalfNormal", scale = 1.0 }
[theta]
mu = { median = 5.0, gsd = 2.0 }
[omega]
mu = { dist = "HalfNormal", scale = 1.0 }
form = "z"
"""
DATA = """ID,TIME,DV,DVID,EVID
1,0,4.0,1,0
1,1,3.5,2,0
1,2,-0.1,1,0
2,0,7.0,1,0
2,3,0.6,2,0
"""
DRAWS = {
    "theta_mu": np.log([5.0, 6.0, 4.0]),
    "omega_mu": np.array([0.3, 0.2, 0.5]),
    "z_mu": np.array([[0.1, -1.0], [0.0, 2.0], [-0.7, 0.4]]),
    "level_additive": np.array([0.2, 0.1, 0.4]),
    "trace_sigma": np.array([0.15, 0.3, 0.2]),
}


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    folder = tmp_path_factory.mktemp("falling")
    (folder / "falling.py").write_text(MODEL)
    (folder / "falling.csv").write_text(DATA)
    (folder / "fit.toml").write_text(FIT)
    return read_problem(read_fit(folder / "fit.toml"))


@pytest.fixture(scope="module")
def simulator(problem: Problem) -> Simulator:
    forms = effect_forms(problem.spec, problem.schedule)
    return Simulator(problem.spec, problem.model, forms)


@pytest.fixture(scope="module")
def drawn(problem: Problem, simulator: Simulator) -> dict[str, np.ndarray]:
    """Rows of the file in its order, [draw, row]."""
    assert set(simulator.latent(problem.schedule)) == set(DRAWS)
    made = simulator(DRAWS, problem.schedule, None, jax.random.key(0))
    mask = np.asarray(problem.schedule.observations.mask)
    return {name: value[:, mask] for name, value in made.items()}


SUBJECT = np.array([0, 0, 0, 1, 1])
TIME = np.array([0.0, 1.0, 2.0, 0.0, 3.0])
DV = np.array([4.0, 3.5, -0.1, 7.0, 0.6])
TRACE = np.array([False, True, False, False, True])


def level(eta: np.ndarray) -> np.ndarray:
    """The prediction of every row, [draw, row]."""
    start = np.exp(DRAWS["theta_mu"][:, None] + eta)[:, SUBJECT]
    return start * np.exp(-TIME) * np.where(TRACE, 2.0, 1.0)


def test_predictions_are_those_of_the_model(drawn: dict[str, np.ndarray]) -> None:
    eta = DRAWS["omega_mu"][:, None] * DRAWS["z_mu"]
    np.testing.assert_allclose(drawn["ipred"], level(eta), rtol=1e-13)
    np.testing.assert_allclose(drawn["pred"], level(0 * eta), rtol=1e-13)


def test_iwres_is_the_residual_in_units_of_the_error(
    drawn: dict[str, np.ndarray],
) -> None:
    """Combined error: (DV - f) / (a + b f); log-normal: (log DV - log f) / sigma."""
    f = level(DRAWS["omega_mu"][:, None] * DRAWS["z_mu"])
    a, sigma = DRAWS["level_additive"][:, None], DRAWS["trace_sigma"][:, None]
    natural = (DV - f) / (a + 0.3 * f)
    logarithmic = (np.log(np.abs(DV)) - np.log(f)) / sigma
    expected = np.where(TRACE, logarithmic, natural)
    # a residual near zero has lost digits of DV and f, both below 10
    np.testing.assert_allclose(drawn["iwres"], expected, rtol=1e-12, atol=1e-12)
