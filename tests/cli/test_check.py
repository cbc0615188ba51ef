"""`imak check` on a patient file alone, and what it says of a sampler."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from imak_pkpd.cli.app import app
from imak_pkpd.cli.check import planned
from imak_pkpd.fit.sampler import plan_of
from imak_pkpd.fit.spec import read_fit
from tests.fit.joint import write_joint

GOOD = """ID,TIME,AMT,DV,EVID,MDV
1,0,100,.,1,1
1,1,.,5.0,0,0
2,0,100,.,1,1
2,1,.,4,0,0
"""
BAD = GOOD.replace("5.0", "abc")


def check(*words: str) -> Result:
    return CliRunner().invoke(app, ["check", *words])


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "pk.csv"
    path.write_text(GOOD)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "pk.csv"
    path.write_text(BAD)
    return path


def test_a_good_file_is_counted(good: Path) -> None:
    done = check(str(good))
    assert done.exit_code == 0
    assert done.output == f"{good}: 2 subjects, 4 rows, 0 errors, 0 warnings\n"


def test_a_bad_file_is_named_with_its_line(bad: Path) -> None:
    done = check(str(bad))
    assert done.exit_code == 2
    assert done.output.startswith(f"{bad}:3: [")
    assert "subject 1" in done.output
    assert "'abc'" in done.output


def test_a_program_reads_all_findings(bad: Path) -> None:
    done = check(str(bad), "--json")
    answer = json.loads(done.output)
    assert done.exit_code == 2
    assert answer["passed"] is False
    assert answer["findings"][0]["line"] == 3


def test_all_findings_go_to_a_table(bad: Path, tmp_path: Path) -> None:
    check(str(bad), "--csv", str(tmp_path / "findings.csv"))
    with (tmp_path / "findings.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["line"] == "3"
    assert rows[0]["severity"] == "error"


def test_a_file_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    assert check(str(tmp_path / "nowhere.csv")).exit_code == 2


def test_records_and_facts_are_planned_with_a_caution(
    root: Path, tmp_path: Path
) -> None:
    plan = plan_of(read_fit(write_joint(root, tmp_path)))
    first, note = planned(plan).splitlines()
    assert first.startswith("sampler: nuts (patients and published facts together")
    assert "a staircase for gradients" in note
    assert "R-hat and ESS judge" in note


@pytest.mark.slow
def test_a_fit_of_records_and_facts(
    root: Path, tmp_path: Path, inside: Callable
) -> None:
    write_joint(root, tmp_path)
    done = inside("check", "joint.toml", cwd=tmp_path)
    assert done.code == 0
    assert "ready to sample: 5 dimensions" in done.output  # two theta, three etas
    assert "\nsampler: nuts" in done.output
