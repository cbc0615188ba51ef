"""`imak dose`: for a cohort and for one patient; and what does not go together."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from imak_pkpd.decide.document import UNSEEN
from imak_pkpd.decide.notice import NOTICE
from tests.decide.test_next_dose import FILE, decay_with_decision
from tests.fit.decay import FIT, write_decay

Imak = Callable[..., Any]  # the fixtures of conftest.py


LEVELS = [4.0, 8.0, 16.0]
FACTS = f"""
[evidence]
remission = {{ kind = "binomial", k = 23, n = 33, of = "low", cohort = "few" }}
[decision]
cohort = "few"
utility = "low - 0.01*drug"
[decision.amount]
drug = {{ levels = {LEVELS} }}
[estimation]
prior_draws = 400
refined_draws = 100
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "new.csv").write_text(FILE)
    return decay_with_decision(tmp_path)


@pytest.mark.slow  # weighs 400 draws first: half a minute
def test_of_a_cohort(inside: Imak, tmp_path: Path) -> None:
    """The table as CSV and JSON, the sentence, the report, what it is not for."""
    write_decay(tmp_path, FIT + FACTS)
    assert inside("fit", "decay.toml", "--out", "run", cwd=tmp_path).error == ""
    run = tmp_path / "run"
    done = inside("dose", "run", cwd=tmp_path)
    assert (done.code, done.error) == (0, "")
    assert NOTICE in done.output
    assert "Recommended: drug" in done.output
    text = (run / "dose/doses.csv").read_text()
    assert text.startswith(f"# {NOTICE}\n")
    assert list(pd.read_csv(run / "dose/doses.csv", comment="#")["drug"]) == LEVELS
    said = json.loads((run / "dose/dose.json").read_text())
    assert said["notice"] == NOTICE
    assert said["doses_seen"] == {"drug": UNSEEN}
    assert NOTICE in (run / "report.html").read_text()


def test_of_a_patient(inside: Imak, run: Path) -> None:
    """Files, the sentence, what it is not for; asked twice it is refused."""
    home = run.parents[2]
    words = ("dose", str(run), "--patient", "new.csv", "--at", "4", "--at", "6")
    done = inside(*words, "--horizon", "5", cwd=home)
    assert (done.code, done.error) == (0, "")
    assert NOTICE in done.output
    assert "patient A: recommended: " in done.output
    (folder,) = (run / "next_doses").iterdir()
    text = (folder / "options.csv").read_text()
    assert text.startswith(f"# {NOTICE}\n")
    frame = pd.read_csv(folder / "options.csv", comment="#")
    assert frame["option"].iloc[0] == "no further dose"
    assert list(frame["time"].dropna()) == [4.0] * 3 + [6.0] * 3
    said = json.loads((folder / "next_dose.json").read_text())
    assert said["notice"] == NOTICE
    assert len(said["options"]) == 7
    again = inside(*words, "--horizon", "5", cwd=home)
    assert again.code == 2
    assert "has this answer already" in again.error


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--at", "4"), "got --at or --horizon without --patient"),
        (("--patient", "new.csv"), "got --patient without --at"),
        (("--patient", "no.csv", "--at", "4"), "no.csv is not a file"),
        (("other", "--patient", "new.csv", "--at", "4"), "got --patient and a second"),
        (("--patient", "new.csv", "--at", "1"), "the last record of patient A is at 3"),
    ],
)
def test_words_that_do_not_fit(
    inside: Imak, run: Path, words: tuple[str, ...], sentence: str
) -> None:
    done = inside("dose", str(run), *words, cwd=run.parents[2])
    assert done.code == 2
    assert sentence in done.error
