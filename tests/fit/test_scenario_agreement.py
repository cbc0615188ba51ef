"""Scenarios against the model and the cohorts: a sentence with the nearest name."""

from pathlib import Path

import pytest

from imak_pkpd.fit.agreement import check_fit
from imak_pkpd.fit.prior_predictive import cohort_name
from imak_pkpd.fit.spec import read_fit
from imak_pkpd.model.load import load_model
from tests.fit.decay import FIT, SCENARIOS, write_decay

TWO = FIT.replace("[estimand]", "[cohort.other]\nhorizon = 8.0\n[estimand]")


def found(folder: Path, text: str) -> list[str]:
    spec = read_fit(write_decay(folder, text))
    return check_fit(spec, load_model(spec.model))


def test_the_example_agrees(tmp_path: Path) -> None:
    assert found(tmp_path, FIT + SCENARIOS) == []


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("set = { kk = 0.0 }", "no parameter 'kk' (did you mean 'k'?)"),
        ("set = { k = -1.0 }", "write zero or a positive number"),
        ("set = { p = 1.5 }", "write a number from 0 to 1"),
        ("times = { b = 2.0 }", "identity scale is not multiplied: write add"),
        ("times = { p = 2.0 }", "lead out of 0 to 1"),
        ("add = { k = 1.0 }", "log scale is not added to: write times"),
        ("amounts = { drugs = 1.0 }", "no dose 'drugs' (did you mean 'drug'?)"),
        ("share = { slo = 1.0 }", "no group 'slo' (did you mean 'slow'?)"),
        ('cohort = "fewer"\nset = { k = 0.0 }', "[cohort.fewer] (did you mean 'few'?)"),
    ],
)
def test_disagreements(tmp_path: Path, line: str, text: str) -> None:
    (sentence,) = found(tmp_path, f"{FIT}[scenario.x]\n{line}\n")
    assert text in sentence
    assert sentence.startswith("decay.toml:")


def test_strata_are_parameters(tmp_path: Path) -> None:
    (sentence,) = found(tmp_path, FIT.replace("b = [1.0, 2.0]", "bb = [1.0]"))
    assert "no parameter 'bb' (did you mean 'b'?)" in sentence


def test_which_cohort(tmp_path: Path) -> None:
    text = TWO.replace('column = "slow"', "fixed = 1.0")
    assert "add cohort = one of" in found(tmp_path, text + SCENARIOS)[0]
    spec = read_fit(write_decay(tmp_path, text))
    assert cohort_name(spec, "other") == "other"
    with pytest.raises(ValueError, match=r"got fewer \(did you mean 'few'\?\)"):
        cohort_name(spec, "fewer")
