"""`imak sample-days`: tables, files and JSON; and what it refuses, in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from imak_pkpd.decide.notice import NOTICE, SYNTHETIC
from imak_pkpd.explore import answers
from imak_pkpd.fit.record import Result
from imak_pkpd.fit.run import update_record
from imak_pkpd.report.blocks import Prose, Table
from tests.decide.made_run import (
    DECAY_DATA,
    DECAY_FIT,
    DECAY_MODEL,
    decay_draws,
    decay_run,
    made_run,
)
from tests.decide.test_patient_choice import FILE, ONE_LEVEL, TWO, response_run
from tests.decide.test_sample_days import ASSAY, SECOND
from tests.decide.toy_run import toy_run

Imak = Callable[..., Any]  # the fixtures of conftest.py
FEW = ("--patients", "200")
ONE = """ID,TIME,EVID,AMT,CMT,DVID,DV,slow
first,0,1,8,1,.,.,0
first,1,0,.,.,1,5.0,0
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return decay_run(tmp_path, decay_draws(64, 0.1))


def test_sample_days(inside: Imak, tmp_path: Path) -> None:
    synthetic = DECAY_FIT.replace("[data]\n", "[data]\nsynthetic = true\n")
    made = made_run(tmp_path, DECAY_MODEL, synthetic, DECAY_DATA, decay_draws(64, 0.1))
    update_record(made, result=Result(passed=False, verdict="FAILED: few draws"))
    words = ("sample-days", str(made), "--days", "1,3", "--output", "drug", *FEW)
    done = inside(*words, cwd=tmp_path)
    assert (done.code, done.error) == (0, "")
    for said in (
        NOTICE,
        "SYNTHETIC",
        "gone where it crosses",
        "The run itself: FAILED: few draws",
        "There is no [decision]",
        "0 of them unsolved",
    ):
        assert said in done.output
    (folder,) = (made / "sample_days").iterdir()
    assert folder.name.startswith("standard-")
    head = (folder / "reductions.csv").read_text().partition("\n")[0]
    assert head == f"# {NOTICE} The population was fitted to SYNTHETIC patients."
    frame = pd.read_csv(folder / "reductions.csv", comment="#")
    assert set(frame["output"]) == {"drug"}
    assert set(frame["day"]) == {1.0, 3.0}
    assert frame["reduction"].max() > 0.5
    kept = json.loads((folder / "sample_days.json").read_text())
    assert kept["notice"] == NOTICE
    assert kept["population_is_synthetic"]
    shown = list(answers.samples(made))
    said = [each.text for each in shown if isinstance(each, Prose)]
    assert {NOTICE, SYNTHETIC} < set(said)
    (table,) = (each for each in shown if isinstance(each, Table))
    assert table.rows == kept["reductions"]
    first = kept["reductions"][0]["reduction"]
    assert first == pytest.approx(frame["reduction"][0], abs=1e-12)
    picture = (folder / "sample_days.svg").read_text()
    ElementTree.fromstring(picture)
    assert NOTICE in picture
    assert "SYNTHETIC" in picture
    page = (made / "report.html").read_text()
    assert '<section id="next-sample"' in page
    assert SYNTHETIC in page
    again = inside(*words, cwd=tmp_path)
    assert again.code == 2
    assert "has this answer already" in again.error
    program = inside(*words, "--seed", "2", "--json", cwd=tmp_path)
    answer = json.loads(program.output[program.output.index("{") :])
    assert answer["sentences"]
    assert len(list((made / "sample_days").iterdir())) == 2


def test_a_patient_with_a_sample(inside: Imak, run: Path) -> None:
    """A second sample tells less where the first has told much."""
    home = run.parents[2]
    (home / "one.csv").write_text(ONE)
    words = ("sample-days", str(run), "--days", "2", "--json", *FEW)
    told = {}
    for more in ((), ("--patient", "one.csv")):
        done = inside(*words, *more, cwd=home)
        assert (done.code, done.error) == (0, "")
        answer = json.loads(done.output[done.output.index("{") :])
        told[more] = {
            row["quantity"]: row["reduction"]
            for row in answer["reductions"]
            if row["output"] == "drug"
        }
    assert told[("--patient", "one.csv")]["total"] < told[()]["total"]


def test_a_cohort_with_nothing_left_to_choose(inside: Imak, tmp_path: Path) -> None:
    """The second dose is given on day 4, or is not."""
    made = toy_run(tmp_path, SECOND)
    (tmp_path / "assays.toml").write_text(ASSAY)
    words = ("sample-days", str(made), "--days", "4,5", "--assays", "assays.toml")
    done = inside(*words, *FEW, cwd=tmp_path)
    assert (done.code, done.error) == (0, "")
    assert "gain in utility by" in done.output
    assert "so a sample gains exactly 0." in done.output
    (folder,) = (made / "sample_days").iterdir()
    assert folder.name.startswith("cohort-")
    frame = pd.read_csv(folder / "evsi.csv", comment="#")
    assert list(frame["open_designs"]) == [1, 1]
    assert list(frame["evsi"]) == [0.0, 0.0]


def test_a_patient_with_a_choice(inside: Imak, tmp_path: Path) -> None:
    """A second dose on day 4, or none: what is open, and what a sample gains."""
    made = response_run(tmp_path, ONE_LEVEL + TWO, FILE)
    words = ("sample-days", str(made), "--patient", "new.csv", "--days", "2,4")
    done = inside(*words, cwd=tmp_path)
    assert (done.code, done.error) == (0, "")
    for said in (
        "gain in utility by",
        "leave: no further dose; a 3 at 4.",
        "A choice is open on some of these days.",
        "For the utility: gain on day 2 gains ",
    ):
        assert said in done.output
    (folder,) = (made / "sample_days").iterdir()
    assert folder.name.startswith("new-")
    frame = pd.read_csv(folder / "evsi.csv", comment="#")
    assert list(frame["open_designs"]) == [2, 1]
    assert frame["evsi"][0] > 4 * frame["se"][0]
    assert frame["evsi"][1] == 0.0
    assert "gain in utility" in (made / "report.html").read_text()


def test_patients_who_cannot_be_solved(inside: Imak, tmp_path: Path) -> None:
    """One draw in 64 decays faster than a number can say: 1.6 % are too many."""
    draws = decay_draws(64, 0.1)
    draws["theta_k"][1] = np.log(1e300)
    made = decay_run(tmp_path, draws)
    done = inside("sample-days", str(made), "--days", "1", *FEW, cwd=tmp_path)
    assert done.code == 3
    assert "Do not use these numbers: 1.6% of the simulated patients" in done.output
    assert (made / "sample_days").is_dir()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--days", "1;2"), "got --days 1;2: write numbers"),
        (("--days", "99"), "got day 99, but a sample of patient 1 can be drawn from"),
        (("--output", "drgu"), "which no assay measures (did you mean 'drug'?)"),
        (("--patient", "not.csv"), "not.csv is not a file"),
        (("--patient", "two.csv"), "two.csv has 2 patients (first, second)"),
        (
            ("--patient", "one.csv", "--days", "0.5"),
            "patient first can be drawn from 1",
        ),
    ],
)
def test_questions_that_are_refused(
    inside: Imak, run: Path, words: tuple[str, ...], said: str
) -> None:
    home = run.parents[2]
    (home / "one.csv").write_text(ONE)
    (home / "two.csv").write_text(f"{ONE}second,0,1,8,1,.,.,1\n")
    done = inside("sample-days", str(run), *words, *FEW, cwd=home)
    assert done.code == 2
    assert said in done.error
    assert not (run / "sample_days").exists()


def test_a_fit_that_says_nothing_of_samples(inside: Imak, tmp_path: Path) -> None:
    made = toy_run(tmp_path, SECOND)
    done = inside("sample-days", str(made), *FEW, cwd=tmp_path)
    assert done.code == 2
    assert "give --assays FILE" in done.error
    bare = toy_run(tmp_path, "")
    done = inside("sample-days", str(bare), *FEW, cwd=tmp_path)
    assert done.code == 2
    assert "has neither [data] nor [decision]" in done.error
