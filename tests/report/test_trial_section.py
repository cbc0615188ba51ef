"""The chapter of a simulated trial: its numbers are those of the files, in words."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from imak_pkpd.decide.notice import NOTICE
from imak_pkpd.decide.trial.document import document
from imak_pkpd.decide.trial.folder import write_trial
from imak_pkpd.decide.trial.of_run import trial_of_run
from imak_pkpd.report import write_report
from imak_pkpd.report.blocks import Table
from imak_pkpd.report.run import MissingError, read_run
from imak_pkpd.report.sections import trial
from tests.decide.trial_toy import answers_run, answers_sites, trial_text
from tests.report.test_page import Page

ENDPOINTS = """
[trial.endpoint.yes]
of = "yes"
[trial.endpoint.kept]
of = "gone"
dropout = "left_out"
"""
TRIAL = trial_text(
    ENDPOINTS, "draws = 10\nrepeats = 4\ndropout = { share = 0.1, by = 4.0 }\n"
)


def simulate(run: Path) -> None:
    made = trial_of_run(run)
    write_trial(made, document(made), "<svg/>")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One trial, simulated: p is 0.3 and 0.6, more or less."""
    folder = tmp_path_factory.mktemp("answers")
    chance = np.random.default_rng(1).beta(6.0, 14.0, 40)
    made = answers_run(folder, TRIAL, answers_sites(40, chance, 0.6))
    simulate(made)
    write_report(made)
    return made


def rows(run: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(run / "tables" / f"{name}.csv")


def stored(run: Path, name: str, folder: str = "trial") -> pd.DataFrame:
    return pd.read_csv(run / folder / f"{name}.csv", comment="#")


def test_what_is_assumed_is_said(run: Path) -> None:
    text = (run / "report.html").read_text()
    page = Page(text)
    said = " ".join(page.words)
    for words in (
        "The trial",
        NOTICE,
        "40 trials, 4 at each of 10 draws of the posterior",
        "Arm with: 20 patients, treated 1.",
        "10% leave by 4 day after an arm's first dose",
        "Doses seen in the data: no dose is named.",
    ):
        assert words in said
    assert page.figures["trial-power-1"] > 5
    assert len(page.ids) == len(set(page.ids))
    assert page.open == []


def test_the_tables_are_those_of_the_files(run: Path) -> None:
    arms, there = rows(run, "trial-arms-1"), stored(run, "arms")
    assert list(arms["arm"]) == ["without", "with"] * 2
    for ours, theirs in (
        ("truly", "expected"),
        ("truly 95 %", "expected_q95"),
        ("reported 5 %", "observed_q05"),
        ("left", "dropped"),
    ):
        np.testing.assert_allclose(arms[ours], there[theirs], rtol=1e-12)
    compared, there = rows(run, "trial-comparisons-1"), stored(run, "comparisons")
    for ours, theirs in (
        ("P(success)", "success"),
        ("± P(success)", "success_se"),
        ("± if better", "success_if_better_se"),
        ("SD", "power_sd"),
    ):
        np.testing.assert_allclose(compared[ours], there[theirs], rtol=1e-12)
    assert len(rows(run, "trial-power-1")) == len(stored(run, "power"))


def test_assurance_and_its_error_are_counted_again(run: Path) -> None:
    """From the p-values of every single trial: the mean, and the SD of means by draw
    over the root of their number."""
    every = stored(run, "trials")
    (shown,) = (
        rows(run, "trial-comparisons-1").query("endpoint == 'yes'").to_dict("records")
    )
    own = every.query("endpoint == 'yes' and arm == 'with'")
    by_draw = (own["p"] <= 0.025).groupby(own["draw"]).mean()
    assert 0.0 < by_draw.mean() < 1.0
    assert shown["P(success)"] == pytest.approx(by_draw.mean())
    assert shown["± P(success)"] == pytest.approx(by_draw.std() / np.sqrt(10))
    together = every.query("arm == 'with'").pivot(
        index=["draw", "trial"], columns="endpoint", values="p"
    )
    (all_of,) = rows(run, "trial-together-1")["P(success in all)"]
    assert all_of == pytest.approx((together <= 0.025).all(axis=1).mean())


def test_arms_beyond_the_doses_seen_are_marked(run: Path, tmp_path: Path) -> None:
    amount = "[trial.arm.without]\namount = { a = 12.0 }\n"
    text = TRIAL.replace("[trial.arm.without]\n", amount)
    made = answers_run(tmp_path, text, answers_sites(40))
    simulate(made)
    (table,) = (
        b for b in trial.arms(read_run(made, anonymise=False)) if isinstance(b, Table)
    )
    assert list(table.lights) == ["attention", "note"] * 2
    said = [b for b in trial.simulated(read_run(made, anonymise=False))]
    warned = [b.text for b in said if getattr(b, "light", None) == "attention"]
    assert warned == ["arm without is beyond the doses seen: a"]


def test_two_trials_are_told_apart_and_a_broken_one_stops_nothing(
    run: Path, tmp_path: Path
) -> None:
    shutil.copytree(run, tmp_path / "run")
    copy = tmp_path / "run"
    shutil.copytree(copy / "trial", copy / "trial-2")
    text = write_report(copy).read_text()
    assert "Trial 1 of 2. " in text
    assert "Trial 2 of 2. " in text
    assert Page(text).figures["trial-power-2"] > 5
    (copy / "trial-2" / "trial.json").write_text("{")
    text = write_report(copy).read_text()
    assert "Operating characteristics: it could not be made (JSONDecodeError" in text
    assert Page(text).open == []


def test_without_a_trial_there_is_no_chapter(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("trial*"))
    assert 'id="trial"' not in write_report(tmp_path / "run").read_text()
    with pytest.raises(MissingError, match="`imak trial RUN`"):
        list(trial.simulated(read_run(tmp_path / "run", anonymise=False)))
