"""A fit that cannot run: one sentence, an exit code, and a report all the same."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Imak = Callable[..., Any]  # the fixtures of conftest.py
MODEL = '''"""A constant under a square root."""

import jax.numpy as jnp

from imak_pkpd.model import AbstractStatic, Scalar, parameter


class Constant(AbstractStatic):
    time = "h"
    outputs = {"level": "mg/L"}
    mu: Scalar = parameter("mg2/L2", "the level squared", scale="identity")

    def observe(self, t, inputs):
        return {"level": jnp.sqrt(self.mu)}
'''
# the prior holds mu below zero, where the prediction is not a number
FIT = """problem = "the root of a negative number"
model = "constant.py"
[data]
file = "level.csv"
time = "h"
[output.level]
unit = "mg/L"
error = "additive"
sigma = { fixed = 1.0 }
[theta]
mu = { median = -5.0, sd = 0.1 }
[estimation]
chains = 2
warmup = 20
draws = 20
"""
SENTENCE = "no start with a finite log-density: subject p1, level = 3 at time 1"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("impossible")
    (folder / "constant.py").write_text(MODEL)
    (folder / "fit.toml").write_text(FIT)
    (folder / "level.csv").write_text("ID,TIME,DV,EVID\np1,1,3.0,0\np2,1,4.0,0\n")
    return folder


def check_report(folder: Path) -> None:
    """The page says first of all that the run failed, and why."""
    text = (folder / "report.html").read_text(encoding="utf-8")
    verdict = text[text.index("<h3>Verdict</h3>") : text.index("<h3>At a glance</h3>")]
    assert f"The run failed: {SENTENCE}" in verdict


def test_a_run_that_fails_is_reported(process: Imak, project: Path) -> None:
    done = process("fit", "fit.toml", "--out", "run", cwd=project)
    assert done.code == 2
    *_, where, sentence = done.error.splitlines()
    assert where == "imak: report: run/report.html"
    assert sentence.startswith(f"imak: {SENTENCE}")
    record = json.loads((project / "run" / "run.json").read_text())
    assert record["status"] == "failed"
    assert record["error"].startswith(SENTENCE)
    check_report(project / "run")


def test_so_is_one_that_fails_again(inside: Imak, project: Path) -> None:
    inside("fit", "fit.toml", "--out", "again", cwd=project)
    page = project / "again" / "report.html"
    page.unlink()
    done = inside("resume", "again", cwd=project)
    assert done.code == 2
    assert done.error.startswith(SENTENCE)
    check_report(page.parent)


def test_what_is_wrong_before_the_run_leaves_nothing(
    inside: Imak, project: Path
) -> None:
    (project / "wrong.toml").write_text(FIT.replace('unit = "mg/L"', 'unit = "ng/mL"'))
    done = inside("fit", "wrong.toml", "--out", "never", cwd=project)
    assert done.code == 2
    assert "report" not in done.output
    assert not (project / "never").exists()
