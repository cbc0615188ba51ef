"""A whole fit by the command line, on a model small enough for every test run.

The mean of 8 normal observations with known SD 1 under a Normal(0, 10) prior: the
posterior is normal with mean 8 m / 8.01 and SD 1 / sqrt(8.01), by hand.
"""

import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Imak = Callable[..., Any]  # the fixtures of conftest.py
DRAWN = (3.1, 4.7, 2.2, 5.0, 3.9, 4.4, 2.8, 4.1)
MODEL = '''"""A constant."""

from imak_pkpd.model import AbstractStatic, Scalar, parameter


class Constant(AbstractStatic):
    time = "h"
    outputs = {"level": "mg/L"}
    mu: Scalar = parameter("mg/L", "the level", scale="identity")

    def observe(self, t, inputs):
        return {"level": self.mu}
'''
FIT = """problem = "the mean of normal observations"
model = "constant.py"
[data]
file = "level.csv"
time = "h"
[output.level]
unit = "mg/L"
error = "additive"
sigma = { fixed = 1.0 }
[theta]
mu = { median = 0.0, sd = 10.0 }
[estimation]
chains = 2
warmup = 200
draws = 3000
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "constant.py").write_text(MODEL)
    (folder / "mean.toml").write_text(FIT)
    rows = "".join(f"{i},1,{x},0\n" for i, x in enumerate(DRAWN, 1))
    (folder / "level.csv").write_text("ID,TIME,DV,EVID\n" + rows)
    return folder


@pytest.fixture(scope="module")
def fitted(process: Imak, project: Path) -> Any:
    return process(
        *("fit", "mean.toml", "--out", "run", "--seed", "7", "--json"), cwd=project
    )


def test_a_fit_gives_the_posterior_known_by_hand(fitted: Any) -> None:
    assert fitted.code == 0, fitted.error
    answer = json.loads(fitted.output)
    (mu,) = answer["parameters"]
    precision = len(DRAWN) + 0.1**2
    mean, sd = sum(DRAWN) / precision, 1 / math.sqrt(precision)
    # 3 Monte Carlo errors at the least ESS that passes, 400: the median costs 1.25
    # times the error of a mean, the 2.5 % point 2.7 times
    assert abs(mu["median"] - mean) < 3 * 1.25 * sd / 20
    assert abs(mu["lower"] - (mean - 1.96 * sd)) < 3 * 2.7 * sd / 20
    assert abs(mu["upper"] - (mean + 1.96 * sd)) < 3 * 2.7 * sd / 20
    assert answer["result"]["passed"]


def test_what_is_printed_outside_a_terminal_is_plain(fitted: Any) -> None:
    assert all(line.isprintable() for line in fitted.error.splitlines())
    assert "sampling" in fitted.error


@pytest.mark.usefixtures("fitted")
def test_the_run_is_recorded_with_its_override(inside: Imak, project: Path) -> None:
    record = json.loads((project / "run" / "run.json").read_text())
    assert record["overrides"] == {"seed": 7}
    assert record["seed"] == 7
    assert record["result"]["draws_sha256"]
    rows = json.loads(inside("runs", ".", "--json", cwd=project).output)
    (row,) = [row for row in rows if row["folder"] == "run"]
    assert (row["status"], row["passed"]) == ("finished", True)
    assert "run" in inside("runs", ".", cwd=project).output


@pytest.mark.usefixtures("fitted")
def test_the_report_is_written_again(inside: Imak, project: Path) -> None:
    done = inside("report", "run", "--anonymise", cwd=project)
    assert done.code == 0, done.error
    assert (project / done.output.strip()).is_file()
    assert (project / "run" / "report.html").is_file()


@pytest.mark.usefixtures("fitted")
def test_a_folder_with_a_run_is_refused(inside: Imak, project: Path) -> None:
    done = inside("fit", "mean.toml", "--out", "run", cwd=project)
    assert done.code == 2
    assert done.error.startswith("run already holds something")


@pytest.mark.usefixtures("fitted")
def test_a_finished_run_is_not_resumed(inside: Imak, project: Path) -> None:
    done = inside("resume", "run", cwd=project)
    assert done.code == 2
    assert done.error == "run is finished: there is nothing to resume"


def test_a_diagnostic_that_fails_is_exit_code_three(
    inside: Imak, project: Path
) -> None:
    done = inside("fit", "mean.toml", "--out", "short", "--draws", "20", cwd=project)
    assert done.code == 3, done.error
    assert "FAILED" in done.output
    assert "short/report.html" in done.output


def test_an_interrupted_fit_says_how_to_go_on(project: Path, cache: Path) -> None:
    words = ("fit", "mean.toml", "--out", "long", "--draws", "1000000")  # minutes
    running = subprocess.Popen(
        (sys.executable, "-m", "imak_pkpd.cli", *words),
        cwd=project,
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert any(line == "sampling\n" for line in running.stdout)
    running.send_signal(signal.SIGINT)
    _, error = running.communicate(timeout=120)
    assert running.returncode == 1
    assert error.splitlines()[-1].startswith("imak: interrupted: find the run by")
    assert (
        json.loads((project / "long" / "run.json").read_text())["status"] == "running"
    )


def test_check_goes_as_far_as_one_density(inside: Imak, project: Path) -> None:
    done = inside("check", "mean.toml", cwd=project)
    assert done.code == 0, done.error
    (value,) = re.findall(r"1 dimensions, log density (\S+) at the", done.output)
    # the prior median is that of 1001 draws: 0 with a standard error of 0.4
    assert density(-1.2) < float(value) < density(1.2)


def density(mu: float) -> float:
    """Log posterior density by hand: residual SD 1, prior Normal(0, 10)."""
    square = sum((x - mu) ** 2 for x in DRAWN) + (mu / 10) ** 2
    return -0.5 * square - 4.5 * math.log(2 * math.pi) - math.log(10)


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        ("chains = 2", "chans = 2", "wrong.toml:13: estimation.chans: unknown key"),
        ("mu = { median = 0.0, sd = 10.0 }\n", "", "wrong.toml:10: theta: the model's"),
        ('unit = "mg/L"', 'unit = "ng/mL"', "wrong.toml:7: output.level.unit: "),
        ("level.csv", "nowhere.csv", "wrong.toml:4: data.file: there is no file"),
    ],
)
def test_a_wrong_fit_file_is_one_sentence_with_its_line(
    inside: Imak, project: Path, right: str, wrong: str, sentence: str
) -> None:
    (project / "wrong.toml").write_text(FIT.replace(right, wrong))
    done = inside("check", "wrong.toml", cwd=project)
    assert done.code == 2
    assert done.error.startswith(sentence)
    assert "\n" not in done.error
