"""`imak simulate FIT --prior`: tables, CSV, figure and JSON say the same."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from imak_pkpd.check.prior_table import TITLE
from tests.fit.decay import FIT, write_decay

Imak = Callable[..., Any]  # the fixtures of conftest.py
FEW = ("--subjects", "16", "--draws", "8", "--size", "10")


def test_tables_and_files(inside: Imak, tmp_path: Path) -> None:
    write_decay(tmp_path)
    words = ("simulate", "decay.toml", "--prior", *FEW, "--out", "prior.csv")
    first = inside(*words, cwd=tmp_path)
    assert (first.code, first.error) == (0, "")
    assert TITLE in first.output
    assert "the drug stays" in first.output
    assert "in trials of 10" in first.output
    assert "unsolved" in first.output
    text = (tmp_path / "prior.csv").read_text()
    assert text.startswith(f"# {TITLE}; trials of 10\n")
    frame = pd.read_csv(tmp_path / "prior.csv", comment="#")
    assert set(frame.part) == {"medians", "trials", "scenario"}
    assert (tmp_path / "prior.svg").read_text().count(TITLE) == 1
    again = inside(*words, cwd=tmp_path)
    assert again.code == 2
    assert "prior.csv exists" in again.error


def test_json(inside: Imak, tmp_path: Path) -> None:
    """Without scenarios; what a row does not have is null."""
    write_decay(tmp_path, FIT)
    words = ("simulate", "decay.toml", "--prior", *FEW, "--json")
    answer = inside(*words, cwd=tmp_path)
    assert answer.code == 0
    said = json.loads(answer.output[answer.output.index("{") :])
    assert (said["title"], said["trial_size"]) == (TITLE, 10)
    hurt = said["rows"][1]
    assert (hurt["estimand"], hurt["crossed"]) == ("hurt", None)
    assert abs(hurt["mean"] - 0.25) < 1e-9


def test_no_cohort(inside: Imak, tmp_path: Path) -> None:
    """The sentence names what is missing; without --prior a file must be named."""
    write_decay(tmp_path, FIT.partition("[cohort.few]")[0])
    answer = inside("simulate", "decay.toml", "--prior", cwd=tmp_path)
    assert answer.code == 2
    assert "there is no [cohort.NAME]" in answer.error
    assert "add --out FILE" in inside("simulate", "decay.toml", cwd=tmp_path).error
