"""`imak trial`: tables, files and JSON; and what it refuses, in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imak_pkpd.decide.document import NOTICE
from imak_pkpd.explore import answers
from imak_pkpd.fit.record import Result
from imak_pkpd.fit.run import update_record
from imak_pkpd.report.blocks import Prose, Table
from tests.decide.trial_toy import FIT, answers_run, answers_sites, trial_text

Imak = Callable[..., Any]  # the fixtures of conftest.py
TRIAL = trial_text(
    """
[trial.endpoint.yes]
of = "yes"
[trial.endpoint.gain]
of = "gain"
dropout = "left_out"
[trial.endpoint.kept]
of = "gone"
dropout = "left_out"
[trial.endpoint.late]
of = "gone"
later_than = 5.0
better = "less"
against = 0.6
""",
    "draws = 10\nrepeats = 4\ndropout = { share = 0.1, by = 4.0 }\n",
    """
[trial.arm.without]
group = { treated = 0.0 }
[trial.arm.with]
group = { treated = 1.0 }
amount = { a = { planned = 12.0, cap = 12.0, gsd = 1.2 } }
times = { a = [0.0, 1.0] }
""",
)


def made(folder: Path, trial: str = TRIAL, broken: int = 0) -> Path:
    """A run; at `broken` of its draws nobody can be solved."""
    rng = np.random.default_rng(1)
    chance = rng.beta(6.0, 14.0, 40)
    chance[40 - broken :] = np.nan
    return answers_run(folder, trial, answers_sites(40, chance, 0.6))


def test_trial(inside: Imak, tmp_path: Path) -> None:
    run = made(tmp_path)
    update_record(run, result=Result(passed=False, verdict="FAILED: few draws"))
    done = inside("trial", str(run), cwd=tmp_path)
    assert (done.code, done.error) == (0, "")
    for said in (
        NOTICE,
        "40 trials, 4 at each of 10 draws of the posterior",
        "Arm with: 20 patients, a 12, a at 0 + 1, treated 1.",
        "Fisher's exact test against without, one-sided, p <= 0.025; who leave before "
        "count as no.",
        "who leave before are censored",
        "10% leave by 4 day after an arm's first dose",
        "Nobody dies but where an endpoint itself says so.",
        "No p-value is adjusted for several arms or endpoints.",
        "Doses seen in the data: a: none",
        "arm with is beyond the doses seen: a",
        "the run itself: FAILED: few draws",
    ):
        assert said in done.output
    folder = run / "trial"
    shown = list(answers.trial(run))
    assert NOTICE in [each.text for each in shown if isinstance(each, Prose)]
    assert [t.name for t in shown if isinstance(t, Table)] == ["comparisons", "arms"]
    tables = {
        name: pd.read_csv(folder / f"{name}.csv", comment="#")
        for name in ("arms", "comparisons", "endpoints", "power", "trials")
    }
    assert all(
        (folder / f"{name}.csv").read_text().startswith(f"# {NOTICE}\n")
        for name in tables
    )
    assert NOTICE in (folder / "trial.svg").read_text()
    assert len(tables["arms"]) == 8
    assert len(tables["comparisons"]) == 3 + 2  # both arms against the number
    assert len(tables["trials"]) == 40 * 8
    page = (run / "report.html").read_text()
    assert '<section id="trial"' in page
    assert NOTICE in page
    told = json.loads((folder / "trial.json").read_text())
    assert told["notice"] == NOTICE
    assert told["arms"][0]["dropped"] == tables["arms"].dropped[0]
    assert set(told["all_endpoints"]) == {"with"}


def test_the_same_trial_is_written_once_and_another_beside(
    inside: Imak, tmp_path: Path
) -> None:
    run = made(tmp_path)
    program = inside("trial", str(run), "--json", cwd=tmp_path)
    first = (run / "trial" / "trials.csv").read_text()
    said = json.loads(program.output[program.output.index("{\n") :])
    assert said["folder"] == str(run / "trial")
    assert said["trial"]["size"] == 20
    assert inside("trial", str(run), cwd=tmp_path).code == 0
    assert (run / "trial" / "trials.csv").read_text() == first
    (tmp_path / "answers.toml").write_text(FIT + TRIAL.replace("size = 20", "size = 8"))
    assert inside("trial", str(run), cwd=tmp_path).code == 0
    assert sorted(p.name for p in run.glob("*trial*")) == ["trial", "trial-2"]
    assert (run / "trial" / "trials.csv").read_text() == first


def test_too_many_unsolved_patients_are_a_failed_diagnostic(
    inside: Imak, tmp_path: Path
) -> None:
    done = inside("trial", str(made(tmp_path, broken=8)), cwd=tmp_path)
    assert done.code == 3
    assert "arm without: 20.0% of the patients could not be solved" in done.output


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        ("", "answers.toml has no [trial]"),
        (TRIAL.replace('of = "gain"', 'of = "gian"'), "(did you mean 'gain'?)"),
    ],
)
def test_what_is_refused(inside: Imak, tmp_path: Path, trial: str, said: str) -> None:
    run = made(tmp_path)
    (tmp_path / "answers.toml").write_text(FIT + trial)
    done = inside("trial", str(run), cwd=tmp_path)
    assert done.code == 2
    assert said in done.error
    assert not (run / "trial").exists()
