"""The chapter of the next sample: its numbers are those of the files."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from imak_pkpd.cli.sample_screen import show_sample_days
from imak_pkpd.decide.notice import NOTICE, SYNTHETIC
from imak_pkpd.decide.sample_days import Question
from imak_pkpd.report import write_report
from imak_pkpd.report.blocks import Prose
from imak_pkpd.report.run import MissingError, read_run
from imak_pkpd.report.sections import next_sample
from tests.decide.made_run import (
    DECAY_DATA,
    DECAY_FIT,
    DECAY_MODEL,
    decay_draws,
    made_run,
)
from tests.decide.test_sample_days import ASSAY, SECOND
from tests.decide.toy_run import toy_run
from tests.report.test_page import Page

ONE = """ID,TIME,EVID,AMT,CMT,DVID,DV,slow
Ada,0,1,8,1,.,.,0
Ada,1,0,.,.,1,5.0,0
"""
DAYS = (2.0, 4.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two answers: of the fit's patient as a new one, and of one with a sample."""
    folder = tmp_path_factory.mktemp("decay")
    synthetic = DECAY_FIT.replace("[data]\n", "[data]\nsynthetic = true\n")
    made = made_run(folder, DECAY_MODEL, synthetic, DECAY_DATA, decay_draws(64, 0.1))
    (folder / "one.csv").write_text(ONE)
    show_sample_days(made, Question(days=DAYS, patients=200), as_json=True)
    asked = Question(patient=folder / "one.csv", days=DAYS, patients=200)
    show_sample_days(made, asked, as_json=True)
    return made


@pytest.fixture(scope="module")
def page(run: Path) -> Page:
    """As the command leaves it."""
    return Page((run / "report.html").read_text())


def table(run: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(run / "tables" / f"{name}.csv")


def test_it_says_of_whom_and_what_for(page: Page) -> None:
    said = " ".join(page.words)
    for words in (
        "The next sample",
        NOTICE,
        SYNTHETIC,
        "For patient Ada, given the samples so far.",
        "For a new patient with the doses and covariates of patient 1 of the fit.",
        "256 simulated patients, 0 of them unsolved; 256 independent draws",
        "of the variance",
    ):
        assert words in said
    assert min(page.figures[f"next-sample-days-{n}"] for n in (1, 2)) > 5
    assert len(page.ids) == len(set(page.ids))
    assert page.open == []


def test_every_number_is_in_its_row(run: Path) -> None:
    """By another way: the long table of the file, turned by pandas."""
    folders = sorted(path for path in (run / "sample_days").iterdir())
    for number, folder in enumerate(folders, 1):
        there = pd.read_csv(folder / "reductions.csv", comment="#")
        wide = there.dropna(subset="reduction").pivot(
            index=["output", "day"], columns="quantity", values=["reduction", "se"]
        )
        ours = table(run, f"next-sample-{number}").set_index(["assay", "day"])
        assert len(ours) == 2 * len(DAYS)
        assert {"total", "± total", "at_end"} <= set(ours.columns)
        for name in wide["reduction"].columns:
            for column, value in ((name, "reduction"), (f"± {name}", "se")):
                np.testing.assert_allclose(
                    ours[column], wide[value][name].reindex(ours.index), rtol=1e-9
                )


def test_the_best_day_in_words_is_the_largest_in_the_table(
    run: Path, page: Page
) -> None:
    drawn = table(run, "next-sample-1")
    best = drawn.loc[drawn["total"].idxmax()]
    assert f"total: {best['assay']} on day {best['day']:g} takes away most" in " ".join(
        page.words
    )


def test_a_patient_of_a_file_has_no_name_in_an_anonymous_report(run: Path) -> None:
    text = write_report(run, anonymise=True).read_text()
    assert "For the patient of a file." in text
    assert "Ada" not in text


def test_the_gain_in_utility_stands_beside(tmp_path: Path) -> None:
    """The second dose is given on day 4, or is not: open on day 2 alone."""
    made = toy_run(tmp_path, SECOND)
    (tmp_path / "assays.toml").write_text(ASSAY)
    asked = Question(None, tmp_path / "assays.toml", (), DAYS, 400)
    show_sample_days(made, asked, as_json=True)
    ours = table(made, "next-sample-1").set_index("day")
    (file,) = (made / "sample_days").glob("*/sample_days.json")
    evsi = {row["day"]: row for row in json.loads(file.read_text())["evsi"]}
    assert list(ours["open designs"]) == [2, 1]
    assert ours["gain in utility"][4.0] == 0.0
    for day in DAYS:
        assert ours["gain in utility"][day] == pytest.approx(evsi[day]["evsi"])
        assert ours["± at most"][day] == pytest.approx(evsi[day]["bound_se"])
    assert ours["gain in utility"][2.0] <= ours["at most"][2.0]


def test_what_speaks_against_an_answer_is_marked(run: Path) -> None:
    read = read_run(run, anonymise=False)
    (file, _) = sorted(run.glob("sample_days/*/sample_days.json"))
    before = file.read_text()
    file.write_text(json.dumps(json.loads(before) | {"complaint": "3 % unsolved"}))
    try:
        said = [b for b in next_sample.answers(read) if isinstance(b, Prose)]
    finally:
        file.write_text(before)
    warned = [each.text for each in said if each.light == "attention"]
    assert warned == ["Do not use these numbers: 3 % unsolved.", SYNTHETIC, SYNTHETIC]


def test_without_an_answer_there_is_no_chapter(tmp_path: Path) -> None:
    """Nor is one that is being written an answer."""
    half = tmp_path / "sample_days" / ".cohort-0.tmp"
    half.mkdir(parents=True)
    (half / "sample_days.json").write_text("{}")
    assert 'id="next-sample"' not in write_report(tmp_path).read_text()
    with pytest.raises(MissingError, match="`imak sample-days RUN`"):
        list(next_sample.answers(read_run(tmp_path, anonymise=False)))
