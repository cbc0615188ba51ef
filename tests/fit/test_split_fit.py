"""A fast drug with a slow effect, fitted with `method = "auto"`: split steps."""

from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from imak_pkpd.decide.finished_run import read_finished
from imak_pkpd.fit.fit import begin, run
from imak_pkpd.fit.meshes import Meshes, placed_mesh, with_method
from imak_pkpd.fit.meshing import prior_pilot
from imak_pkpd.fit.posterior import effect_forms, population_model, stepper_of
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.progress import Silent
from imak_pkpd.fit.run import read_record
from imak_pkpd.fit.target import prior_median, target
from imak_pkpd.solve.split import Split
from tests.fit.solver_fit import words_on_chains, written_problem

FIT = """\
problem = "a fast drug and its slow effect"
model = "MODELS/absorbed.py"
[data]
file = "data.csv"
time = "h"
inputs = { 1 = "gut" }
[output.effect]
unit = "1"
error = "lognormal"
sigma = { fixed = 0.1 }
[theta]
ka = { fixed = 4.0 }
k = { median = 0.05, gsd = 1.5 }
out = { fixed = 3.0 }
back = { fixed = 1.0 }
[omega]
k = { fixed = 0.2 }
[estimation]
chains = 1
warmup = 30
draws = 20
"""
# synthetic: of the model with k = 0.05 per h, to some per cent
DATA = """ID,TIME,DV,EVID,AMT
1,0,.,1,10
1,1,3.5,0,.
1,24,18,0,.
1,240,1.5,0,.
2,0,.,1,20
2,6,21,0,.
2,96,18,0,.
2,1000,0.00025,0,.
"""


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    return written_problem(tmp_path_factory.mktemp("split"), FIT, DATA)


@pytest.fixture(scope="module")
def folder(problem: Problem, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made, where = begin(problem.spec, tmp_path_factory.mktemp("runs"))
    run(made, where, Silent())
    return where


def log_likelihood(problem: Problem, method: str) -> tuple[float, int]:
    """At the prior medians on the mesh of a method, and the nodes of that mesh."""
    solver = problem.spec.solver.model_copy(update={"method": method})
    asked = replace(problem, spec=problem.spec.model_copy(update={"solver": solver}))
    forms = effect_forms(asked.spec, asked.schedule)
    found = placed_mesh(asked, [prior_pilot(asked, forms)])
    settled = with_method(asked, found.method)
    args = Meshes(found.mesh).arguments(settled)
    made = target(population_model(settled.spec, settled.model, forms), args)
    assert found.mesh is not None
    here = made.constrain(jnp.asarray(prior_median(made, args)), args)["log_likelihood"]
    return float(np.sum(here)), found.mesh.nodes


def test_split_steps_find_the_likelihood_of_explicit_ones(problem: Problem) -> None:
    """On a tenth of the nodes; both err by less than a certificate allows."""
    explicit, many = log_likelihood(problem, "mesh")
    split, few = log_likelihood(problem, "split")
    assert split == pytest.approx(explicit, abs=0.01)
    assert few < many / 10


@pytest.mark.slow
def test_they_are_chosen_certified_and_recorded(problem: Problem, folder: Path) -> None:
    choices = read_record(folder).choices
    assert choices["solver"]["method"] == "split"
    assert "steps with the drugs in closed form against" in choices["solver"]["why"]
    assert choices["certificate"]["certified"]
    finished = read_finished(folder)
    assert isinstance(stepper_of(finished.spec, problem.model), Split)


@pytest.mark.slow
def test_the_report_says_it(folder: Path) -> None:
    words = words_on_chains(folder)
    expected = "explicit Runge-Kutta steps, the drugs in closed form. Why: "
    assert any(expected in text for text in words)
