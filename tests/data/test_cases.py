"""The reference cases are read as their authors meant them."""

import csv
from pathlib import Path

import numpy as np
import pytest

from imak_pkpd.data import (
    DataBlock,
    Dataset,
    Expectations,
    ExpectedOutput,
    check_file,
    errors,
    read_dataset,
)

ONE = {"y": ExpectedOutput()}


def read_case(
    cases: Path,
    name: str,
    outputs: dict[str, ExpectedOutput] = ONE,
    extra: tuple[str, ...] = (),
    **block: object,
) -> Dataset:
    settings = DataBlock.model_validate({"file": "data.csv", **block})
    expect = Expectations(
        outputs, modelled_duration=frozenset({"depot", "central"})
    )  # RATE = -2 in event-semantics
    return read_dataset(settings, cases / name, extra, expect)


def plain(cases: Path, name: str) -> list[dict[str, str]]:
    """The rows as the csv module gives them."""
    with (cases / name / "data.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def no_errors(dataset: Dataset) -> Dataset:
    assert errors(dataset.findings) == []
    assert len(dataset.line) > 0
    return dataset


def floats(rows: list[dict[str, str]], name: str) -> list[float]:
    return [float(row[name]) if row[name] else np.nan for row in rows]


def test_phenobarbital(cases: Path) -> None:
    carried = {"WT": "constant", "APGR": "constant"}
    dataset = no_errors(
        read_case(
            cases, "phenobarbital", time="h", inputs={1: "dose"}, covariates=carried
        )
    )
    observed = dataset.records["MDV"] == 0
    assert observed.sum() == 155  # concentrations (Grasela & Donn 1985)
    assert len(set(dataset.subject)) == 59
    assert (dataset.records["CMT"] == 1).all()  # no CMT column: the only input


def test_phenobarbital_without_evid(cases: Path, tmp_path: Path) -> None:
    rows = plain(cases, "phenobarbital")
    with (tmp_path / "data.csv").open("w", newline="") as file:
        names = ["ID", "TIME", "AMT", "DV"]
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    dataset = check_file(tmp_path / "data.csv")
    assert {f.rule for f in dataset.findings} == {"EVID-INFERRED"}
    np.testing.assert_array_equal(dataset.records["EVID"], floats(rows, "EVID"))


def test_theophylline(cases: Path) -> None:
    carried = {"WT": "constant", "SEX": "constant"}
    dataset = no_errors(
        read_case(
            cases, "theophylline", time="h", inputs={1: "depot"}, covariates=carried
        )
    )
    assert dataset.findings == ()
    assert dataset.levels == {"SEX": ("F", "M")}
    assert (dataset.records["MDV"] == 0).sum() == 120


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("event-semantics", "cp_exact"),
        ("time-varying-covariate", "cp_exact_nocb"),
        ("linear-compartments-exact", "conc"),
    ],
)
def test_exact_answers_as_dv(cases: Path, name: str, answer: str) -> None:
    dataset = no_errors(
        read_case(
            cases,
            name,
            time="h",
            inputs={1: "depot", 2: "central"},
            columns={"DV": answer},
        )
    )
    rows = plain(cases, name)
    for column in ("TIME", "EVID", "AMT", "RATE", "ADDL", "II", "SS", "CMT"):
        np.testing.assert_array_equal(dataset.records[column], floats(rows, column))
    np.testing.assert_array_equal(dataset.records["DV"], floats(rows, answer))
    assert list(dataset.line) == list(range(2, len(rows) + 2))
    assert (dataset.records["MDV"] == (dataset.records["EVID"] != 0)).all()


def test_parameters_carried_as_columns(cases: Path) -> None:
    names = ("LAGT", "BIOAV", "MODE", "RAT2", "DUR2")
    dataset = no_errors(
        read_case(
            cases,
            "event-semantics",
            time="h",
            inputs={1: "depot", 2: "central"},
            columns={"DV": "cp_exact"},
            extra=names,
        )
    )
    rows = plain(cases, "event-semantics")
    for name in names:
        np.testing.assert_array_equal(dataset.covariates[name], floats(rows, name))


def test_empty_dv_column_is_an_error(cases: Path) -> None:
    found = errors(check_file(cases / "event-semantics" / "data.csv").findings)
    assert {f.rule for f in found} == {"DV-MISSING"}


def test_weight_that_changes(cases: Path) -> None:
    block = {"time": "h", "inputs": {1: "depot", 2: "central"}}
    block["columns"] = {"DV": "cp_exact_nocb"}
    name = "time-varying-covariate"
    dataset = no_errors(read_case(cases, name, covariates={"WT": "nocb"}, **block))
    weights = floats(plain(cases, name), "WT")
    np.testing.assert_array_equal(dataset.covariates["WT"], weights)
    constant = read_case(cases, name, covariates={"WT": "constant"}, **block)
    assert {f.rule for f in errors(constant.findings)} == {"COV-CONSTANT"}


def test_infusions_without_a_compartment(cases: Path) -> None:
    carried = {"WT": "constant", "AGE": "constant", "SEX": "constant"}
    dataset = no_errors(
        read_case(
            cases,
            "infusion-covariates-bayes",
            time="h",
            inputs={1: "central"},
            covariates=carried,
        )
    )
    assert dataset.findings == ()
    assert (dataset.records["CMT"] == 1).all()
    assert set(dataset.records["RATE"]) == {0, 200, 400, 800}


def test_eight_schools_have_no_time(cases: Path) -> None:
    dataset = no_errors(read_case(cases, "eight-schools-gold", extra=("SIGMA",)))
    assert dataset.findings == ()
    assert (dataset.records["TIME"] == 0).all()
    sigma = [15, 10, 16, 11, 9, 11, 10, 18]  # Rubin 1981, table 1
    assert list(dataset.covariates["SIGMA"]) == sigma


def test_censored_viral_load(cases: Path) -> None:
    dataset = no_errors(read_case(cases, "blq-hiv-rebound", time="month"))
    assert {f.rule for f in dataset.findings} == {"COLUMN-UNUSED"}
    assert (dataset.records["CENSOR"] == 1).sum() == 26  # Vaida & Liu 2009
    limits = dataset.records["DV"][dataset.records["CENSOR"] == 1]
    copies = np.round(10**limits)  # the two assays of the study, copies/mL
    assert set(copies) == {50, 400}


def test_warfarin_has_two_outputs(cases: Path) -> None:
    outputs = {"cp": ExpectedOutput(dvid=1), "pca": ExpectedOutput(dvid=2)}
    dataset = no_errors(
        read_case(cases, "warfarin-pkpd", outputs, time="h", inputs={1: "depot"})
    )
    dvid = dataset.records["DVID"]
    observed = dataset.records["MDV"] == 0
    assert (dataset.records["OUTPUT"][observed] == dvid[observed] - 1).all()
    swallowed = read_case(cases, "warfarin-pkpd", time="h", inputs={1: "depot"})
    assert {f.rule for f in errors(swallowed.findings)} == {"DVID-UNKNOWN"}


def test_observation_compartments_are_no_inputs(cases: Path) -> None:
    dataset = read_case(cases, "friberg-wbc", time="h", inputs={1: "central"})
    no_errors(dataset)


@pytest.mark.parametrize("name", ["binary-bacteria", "hiv-viral-decay", "tte-lung"])
def test_no_doses_at_all(cases: Path, name: str) -> None:
    assert no_errors(read_case(cases, name, time="day"))


def test_counts_without_time(cases: Path) -> None:
    assert no_errors(read_case(cases, "ordinal-housing", extra=("FREQ",)))
