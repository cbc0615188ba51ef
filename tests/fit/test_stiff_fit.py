"""A stiff model fitted with `method = "auto"`: what is chosen, recorded and obeyed."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from imak_pkpd.decide.finished_run import read_finished
from imak_pkpd.fit import fit as fitting
from imak_pkpd.fit.fit import begin, resume, run
from imak_pkpd.fit.meshes import placed_mesh, with_method
from imak_pkpd.fit.meshing import prior_pilot
from imak_pkpd.fit.posterior import effect_forms, reference_of, stepper_of
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.progress import Silent
from imak_pkpd.fit.rehearsal import rehearse
from imak_pkpd.fit.run import read_record
from imak_pkpd.fit.tree import read_tree
from imak_pkpd.solve.rodas import Rodas
from imak_pkpd.solve.stepper import Explicit, Rosenbrock
from tests.fit.solver_fit import words_on_chains, written_problem

FIT = """\
problem = "a drug and its receptor"
model = "MODELS/receptor.py"
[data]
file = "data.csv"
time = "h"
inputs = { 1 = "drug" }
[output.concentration]
unit = "nM"
error = "lognormal"
sigma = { fixed = 0.1 }
[theta]
ke = { median = 0.5, gsd = 1.5 }
ka = { fixed = 0.3 }
k12 = { fixed = 0.1 }
k21 = { fixed = 0.01 }
kon = { fixed = 50.0 }
koff = { fixed = 1440.0 }
kint = { fixed = 1.0 }
kdeg = { fixed = 0.05 }
R0 = { fixed = 5.0 }
[estimation]
chains = 1
warmup = 30
draws = 10
"""
# concentrations near those at ke = 0.4 (`tests/solve/receptor`)
DATA = """ID,TIME,DV,EVID,AMT
1,0,.,1,10
1,0.5,1.1,0,.
1,6,1.4,0,.
1,23,0.06,0,.
2,0,.,1,20
2,6,2.9,0,.
2,24,0.1,0,.
3,0,.,1,10
3,12,0.5,0,.
"""


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    return written_problem(tmp_path_factory.mktemp("stiff"), FIT, DATA)


class KilledError(Exception):
    """The program ended here."""


class KilledWhenSampling(Silent):
    """Ends the first sampling when it has begun."""

    def __init__(self) -> None:
        self.stages: list[str] = []

    def stage(self, text: str) -> None:
        self.stages.append(text)
        if len(self.stages) > 1:
            raise KilledError


@pytest.fixture(scope="module")
def folder(
    problem: Problem, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A run that was killed when its mesh was placed, then resumed."""
    made, where = begin(problem.spec, tmp_path_factory.mktemp("runs"))
    with pytest.raises(KilledError):
        run(made, where, KilledWhenSampling())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fitting, "make_meshes", lambda *_: pytest.fail("chosen again"))
        yield resume(where)


def test_before_a_choice_the_steps_are_explicit(problem: Problem) -> None:
    spec, model = problem.spec, problem.model
    assert isinstance(stepper_of(spec, model), Explicit)
    settled = with_method(problem, "rosenbrock").spec
    assert isinstance(stepper_of(settled, model), Rosenbrock)
    assert isinstance(reference_of(settled, model).solver, Rodas)
    assert with_method(problem, "mesh") is problem


@pytest.mark.parametrize("method", ["mesh", "rosenbrock"])
def test_what_the_fit_file_says_is_done(problem: Problem, method: str) -> None:
    """Also where it is hopeless, and then it says what to write instead."""
    solver = problem.spec.solver.model_copy(update={"method": method})
    spec = problem.spec.model_copy(update={"solver": solver})
    asked = Problem(spec, problem.model, problem.dataset, problem.schedule)
    pilots = [prior_pilot(asked, effect_forms(spec, asked.schedule))]
    if method == "mesh":
        with pytest.raises(ValueError, match=r"try \[solver\] method = \"rosenbrock\""):
            placed_mesh(asked, pilots)
        return
    found = placed_mesh(asked, pilots)
    assert (found.method, found.why) == ("rosenbrock", "as the fit file says")


def test_a_rehearsal_has_no_complaint(problem: Problem) -> None:
    """The explicit reference takes all its steps; the one for stiff models does not."""
    found = rehearse(problem)
    assert found.complaint == ""
    assert np.isfinite(found.log_density)


@pytest.mark.slow
def test_the_choice_is_recorded_with_its_reason(folder: Path) -> None:
    chosen = read_record(folder).choices["solver"]
    assert chosen == {
        "method": "rosenbrock",
        "why": "explicit steps solve no pilot, however short",
    }


@pytest.mark.slow
def test_the_solver_is_certified_by_the_stiff_reference(folder: Path) -> None:
    certificate = read_record(folder).choices["certificate"]
    assert certificate["certified"]
    assert certificate["mesh_failed"] == 0


@pytest.mark.slow
def test_the_run_is_that_of_its_fit_file(problem: Problem, folder: Path) -> None:
    """With the method that it was made by, for whoever goes on from it."""
    tree = read_tree(folder / "posterior.nc")
    assert tree.attrs["fit_sha256"] == problem.spec.sha256
    finished = read_finished(folder)
    assert finished.spec.solver.method == "rosenbrock"
    assert isinstance(stepper_of(finished.spec, problem.model), Rosenbrock)
    assert np.isfinite(np.asarray(tree["log_likelihood"]["log_likelihood"])).all()


@pytest.mark.slow
def test_the_report_says_it(folder: Path) -> None:
    words = words_on_chains(folder)
    expected = "linearly implicit steps (RODAS 4(3))"
    assert any(expected in text and "however short" in text for text in words)
    assert json.loads((folder / "run.json").read_text())["solver"]["method"] == "auto"
