"""A run folder with a posterior that is written down, not sampled.

`LINE` is linear and Gaussian, so a patient's posterior is known on paper; `DECAY` is
the ODE of tests/fit/decay.py, a drug that decays.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from imak_pkpd.fit.problem import read_problem
from imak_pkpd.fit.record import DataSource, new_record
from imak_pkpd.fit.run import POSTERIOR, create_run, update_record
from imak_pkpd.fit.spec import read_fit
from imak_pkpd.fit.tree import Variable, build_tree, posterior_group, write_tree
from tests.fit.decay import MODEL as DECAY_MODEL

Draws = Mapping[str, np.ndarray]

LINE_MODEL = '''"""A straight line per patient."""

from imak_pkpd.model import AbstractStatic, Scalar, parameter


class Line(AbstractStatic):
    time = "day"
    outputs = {"level": "mg/L"}
    a: Scalar = parameter("mg/L", "level at first", "made up", scale="identity")
    b: Scalar = parameter("mg/L/day", "rise", "made up", scale="identity")

    def observe(self, t, inputs):
        return {"level": self.a + self.b * t}
'''
LINE_FIT = """problem = "a line"
model = "model.py"
[data]
file = "data.csv"
time = "day"
[output.level]
unit = "mg/L"
error = "additive"
sigma = { dist = "HalfNormal", scale = 1.0 }
[theta]
a = { median = 10.0, sd = 1.0 }
b = { median = -1.0, sd = 1.0 }
[omega]
a = { dist = "HalfNormal", scale = 1.0 }
b = { dist = "HalfNormal", scale = 1.0 }
correlation = { parameters = ["a", "b"], lkj = 2.0 }
"""
LINE_DATA = "ID,TIME,EVID,DV\n1,0,0,10.0\n1,9,0,1.0\n"

DECAY_FIT = """problem = "a drug that decays"
model = "model.py"
[data]
file = "data.csv"
time = "day"
inputs = { 1 = "drug" }
covariates = { slow = "constant" }
[output.drug]
unit = "mg"
dvid = 1
error = "lognormal"
sigma = { dist = "HalfNormal", scale = 0.5 }
[output.burden]
unit = "cells"
dvid = 2
error = "lognormal"
sigma = { fixed = 0.3 }
[theta]
k = { median = 0.5, gsd = 1.5 }
d = { median = 0.2, gsd = 1.2 }
b = { median = 2.0, sd = 0.3 }
p = { fixed = 0.25 }
slow = { column = "slow" }
[omega]
k = { dist = "HalfNormal", scale = 0.5 }
b = { fixed = 0.3 }
[estimand]
gone = { kind = "crossing", output = "drug", below = 1.0 }
total = { kind = "area", output = "drug" }
at_end = { kind = "value", output = "drug" }
soon = { kind = "area", output = "drug", horizon = 1.0 }
low = { kind = "remission", output = "burden", visits = [5.0], below = 40.0, spread = 0.5 }
"""  # noqa: E501
DECAY_DATA = """ID,TIME,EVID,AMT,CMT,DVID,DV,slow
1,0,1,8,1,.,.,0
1,6,0,.,.,1,0.5,0
"""
AFTER_DOSE = 6.0  # days that the fit's patient was followed


def line_draws(draws: int, sigma: float, seed: int = 1) -> dict[str, np.ndarray]:
    """A posterior of the line that is normal on the unconstrained scale."""
    random = np.random.default_rng(seed)

    def normal(mean: float, sd: float) -> np.ndarray:
        return mean + sd * random.standard_normal(draws)

    return {
        "theta_a": normal(10.0, 0.3),
        "theta_b": normal(-1.0, 0.1),
        "omega_a": np.exp(normal(0.0, 0.1)),
        "omega_b": 0.4 * np.exp(normal(0.0, 0.1)),
        "corr_a_b": np.tanh(normal(0.3, 0.1)),
        "level_sigma": sigma * np.exp(normal(0.0, 0.1)),
    }


def decay_draws(
    draws: int, spread: float, sigma: float = 0.2, seed: int = 1
) -> dict[str, np.ndarray]:
    """A posterior of the decay; without `spread` all draws are alike."""
    random = np.random.default_rng(seed)

    def lognormal(median: float) -> np.ndarray:
        return median * np.exp(spread * random.standard_normal(draws))

    return {
        "theta_k": np.log(lognormal(0.5)),
        "theta_d": np.log(lognormal(0.2)),
        "theta_b": 2.0 + spread * random.standard_normal(draws),
        "omega_k": lognormal(0.4),
        "drug_sigma": lognormal(sigma),
    }


def line_run(folder: Path, draws: Draws) -> Path:
    return made_run(folder, LINE_MODEL, LINE_FIT, LINE_DATA, draws)


def decay_run(folder: Path, draws: Draws) -> Path:
    return made_run(folder, DECAY_MODEL, DECAY_FIT, DECAY_DATA, draws)


def made_run(folder: Path, model: str, fit: str, data: str, draws: Draws) -> Path:
    """The run folder of a fit with these draws, in two chains."""
    for name, text in {"model.py": model, "fit.toml": fit, "data.csv": data}.items():
        (folder / name).write_text(text)
    problem = read_problem(read_fit(folder / "fit.toml"))
    spec = problem.spec
    source = DataSource(
        path=str(problem.dataset.path),
        sha256=problem.dataset.sha256,
        rows=len(problem.dataset.subject),
        subjects=1,
    )
    known = new_record(spec.path, spec.model, source, spec.estimation.model_dump())
    run = create_run(known, folder / "runs")
    chained = {name: value.reshape(2, -1) for name, value in draws.items()}
    groups = {
        "posterior": posterior_group(chained, 1),
        "observed_data": {
            "time_after_dose": Variable(("observation",), np.array([AFTER_DOSE]))
        },
    }
    write_tree(
        build_tree(groups, {}, {"settings": str(spec), "fit_sha256": spec.sha256}),
        run / POSTERIOR,
    )
    update_record(run, status="finished")
    return run
