"""`imak forecast`: tables, files and JSON; and what it refuses, in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from imak_pkpd.decide.finished_run import read_finished, require_patients
from imak_pkpd.decide.notice import NOTICE
from imak_pkpd.fit.record import Result, new_record
from imak_pkpd.fit.run import POSTERIOR, create_run, update_record
from imak_pkpd.fit.spec import read_fit
from imak_pkpd.fit.tree import read_tree, write_tree
from tests.decide.made_run import (
    DECAY_DATA,
    DECAY_FIT,
    DECAY_MODEL,
    decay_draws,
    decay_run,
    made_run,
)
from tests.fit.decay import write_decay

Imak = Callable[..., Any]  # the fixtures of conftest.py
PATIENTS = """ID,TIME,EVID,AMT,CMT,DVID,DV,slow
first,0,1,8,1,.,.,0
first,1,0,.,.,1,5.0,0
first,1,0,.,.,2,90,0
second,0,1,8,1,.,.,1
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "new.csv").write_text(PATIENTS)
    return decay_run(tmp_path, decay_draws(32, 0.1))


def test_forecast(inside: Imak, run: Path) -> None:
    home = run.parents[2]
    update_record(run, result=Result(passed=False, verdict="FAILED: few draws"))
    words = ("forecast", str(run), "--patient", "new.csv", "--horizon", "5")
    done = inside(*words, cwd=home)
    assert (done.code, done.error) == (0, "")
    assert NOTICE in done.output
    assert "crossed" in done.output
    assert "the run itself: FAILED: few draws" in done.output
    (folder,) = (run / "forecasts").iterdir()
    assert folder.name.startswith("new-")
    for name in ("estimands", "crossings", "parameters", "course", "sampling"):
        text = (folder / f"{name}.csv").read_text()
        assert text.startswith(f"# {NOTICE}\n")
        assert set(pd.read_csv(folder / f"{name}.csv", comment="#")["patient"]) == {
            "first",
            "second",
        }
    kept = read_tree(folder / "draws.nc")
    assert kept["estimand"]["gone"].dims == ("chain", "draw", "subject")
    said = json.loads((folder / "forecast.json").read_text())
    assert said["use"] == NOTICE
    assert said["horizon"] == 5.0
    assert {row["method"] for row in said["sampling"]} == {"importance"}
    again = inside(*words, cwd=home)
    assert again.code == 2
    assert "has this answer already" in again.error
    program = inside(*words, "--seed", "2", "--json", cwd=home)
    answer = json.loads(program.output[program.output.index("{") :])
    assert answer["use"] == NOTICE
    assert len(list((run / "forecasts").iterdir())) == 2


def refused(inside: Imak, run: Path, text: str, *more: str) -> str:
    home = run.parents[2]
    (home / "new.csv").write_text(text)
    done = inside("forecast", str(run), "--patient", "new.csv", *more, cwd=home)
    assert done.code == 2
    assert not (run / "forecasts").exists()
    return str(done.error)


def test_files_that_are_refused(inside: Imak, run: Path) -> None:
    without = "\n".join(line.rpartition(",")[0] for line in PATIENTS.splitlines())
    assert "slow" in refused(inside, run, without)
    undosed = PATIENTS.replace("second,0,1,8,1,.,.,1", "second,1,0,.,.,1,3.0,1")
    assert "patient second has no dose" in refused(inside, run, undosed)
    unknown = PATIENTS.replace("first,1,0,.,.,2", "first,1,0,.,.,7")
    assert "DVID" in refused(inside, run, unknown)
    late = refused(inside, run, PATIENTS, "--horizon", "0.5")
    assert "ends before the last record of patient first" in late
    absent = inside("forecast", str(run), "--patient", "not.csv", cwd=run.parents[2])
    assert absent.code == 2
    assert "not.csv is not a file" in absent.error


@pytest.mark.parametrize(
    ("name", "change"),
    [("model.py", "\n# another line\n"), ("fit.toml", "[solver]\ntolerance = 1e-4\n")],
)
def test_a_run_whose_sources_changed(run: Path, name: str, change: str) -> None:
    file = run.parents[2] / name
    file.write_text(file.read_text() + change)
    with pytest.raises(ValueError, match=f"the {file.stem} file.* changed since the"):
        read_finished(run)


def test_a_file_it_is_based_on_changed(tmp_path: Path) -> None:
    """A fixed number there is no draw: another one would be used without a word."""
    parent = tmp_path / "parent.toml"
    parent.write_text(DECAY_FIT)
    based = 'based_on = "parent.toml"\nproblem = "as the parent"\n'
    draws = decay_draws(8, 0.1)
    made = made_run(tmp_path, DECAY_MODEL, based, DECAY_DATA, draws)
    assert read_finished(made).spec.theta["p"].fixed == 0.25
    parent.write_text(DECAY_FIT.replace("fixed = 0.25", "fixed = 0.5"))
    with pytest.raises(ValueError, match="one it is based on, changed"):
        read_finished(made)


def test_data_that_changed_do_not_matter(run: Path) -> None:
    """The draws are there: only their meaning must not change."""
    (run.parents[2] / "data.csv").unlink()
    assert read_finished(run).spec.data is not None


@pytest.mark.parametrize("status", ["running", "failed"])
def test_a_run_that_is_not_finished(run: Path, status: str) -> None:
    update_record(run, status=status)
    with pytest.raises(ValueError, match=f"is {status}, not finished"):
        read_finished(run)


def test_a_fit_without_patients_cannot_read_one(run: Path, tmp_path: Path) -> None:
    spec = read_fit(write_decay(tmp_path))
    known = new_record(spec.path, spec.model, None, spec.estimation.model_dump())
    facts = create_run(known, tmp_path / "facts")
    tree = read_tree(run / POSTERIOR)
    tree.attrs["fit_sha256"] = spec.sha256
    write_tree(tree, facts / POSTERIOR)
    update_record(facts, status="finished")
    with pytest.raises(ValueError, match=r"has no \[data\] block"):
        require_patients(read_finished(facts))
