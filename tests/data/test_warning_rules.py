"""Every WARN of the findings table is said, and reading goes on."""

from collections.abc import Callable

import numpy as np

from imak_pkpd.data import Dataset, Expectations, ExpectedOutput

Read = Callable[..., Dataset]


def warned(dataset: Dataset) -> list[tuple[str, int | None, str | None]]:
    """Rule, line and subject of all findings, which must be warnings with a hint."""
    assert all(f.severity == "warning" and f.hint for f in dataset.findings)
    assert len(dataset.line) > 0
    return [(f.rule, f.line, f.subject) for f in dataset.findings]


def test_replicates(read: Read) -> None:
    text = "ID,TIME,DV,DVID\n1,0,1,1\n1,0,2,2\n1,0,3,1\n2,0,1,1\n"
    assert warned(read(text)) == [("REPLICATE", 4, "1")]


def test_subject_without_a_dose(read: Read) -> None:
    text = "ID,TIME,EVID,AMT,DV\n1,0,1,9,.\n1,1,0,0,1\n2,0,0,0,1\n"
    assert warned(read(text)) == [("NO-DOSE", 4, "2")]


def test_subject_without_an_observation(read: Read) -> None:
    text = "ID,TIME,EVID,AMT,DV\n1,0,1,9,.\n1,1,0,0,1\n2,0,1,9,.\n"
    assert warned(read(text)) == [("NO-OBS", 4, "2")]


def test_covariate_missing_at_first_is_carried_back(read: Read) -> None:
    text = "ID,TIME,DV,WT\n1,0,1,.\n1,1,1,71\n2,0,1,80\n"
    dataset = read(text, covariates={"WT": "locf"})
    assert warned(dataset) == [("COV-FIRST", 2, "1")]
    assert list(dataset.covariates["WT"]) == [71, 71, 80]


def test_nocb_missing_at_last_is_carried_forward(read: Read) -> None:
    text = "ID,TIME,DV,WT\n1,0,1,70\n1,1,1,.\n2,0,1,80\n"
    dataset = read(text, covariates={"WT": "nocb"})
    assert warned(dataset) == [("COV-LAST", 3, "1")]
    assert list(dataset.covariates["WT"]) == [70, 70, 80]


def test_evid_is_inferred_from_amt(read: Read) -> None:
    dataset = read("ID,TIME,AMT,DV\n1,0,100,.\n1,1,.,5\n1,2,0,6\n")
    assert warned(dataset) == [("EVID-INFERRED", 2, None)]
    assert list(dataset.records["EVID"]) == [1, 0, 0]
    assert list(dataset.records["MDV"]) == [1, 0, 0]


def test_evid_missing_in_one_cell(read: Read) -> None:
    dataset = read("ID,TIME,EVID,AMT,DV\n1,0,1,100,.\n1,1,.,9,.\n1,2,0,0,6\n")
    assert warned(dataset) == [("EVID-INFERRED", 3, None)]
    assert list(dataset.records["EVID"]) == [1, 1, 0]


def test_rate_column_nobody_mapped(read: Read) -> None:
    text = "ID,TIME,EVID,AMT,rate,DV\n1,0,1,100,20,.\n1,1,0,0,0,5\n"
    assert warned(read(text)) == [("RATE-UNMAPPED", 1, None)]
    mapped = read(text, columns={"RATE": "rate"})
    assert mapped.findings == ()
    assert list(mapped.records["RATE"]) == [20, 0]


def test_dropped_rate_is_said(read: Read) -> None:
    text = "ID,TIME,EVID,AMT,RATE,DV\n1,0,1,100,20,.\n1,1,0,0,0,5\n"
    dataset = read(text, drop=["RATE"])
    assert warned(dataset) == [("RATE-UNMAPPED", 1, None)]
    assert list(dataset.records["RATE"]) == [0, 0]


def test_mdv_hides_an_observation(read: Read) -> None:
    text = "ID,TIME,EVID,DV,MDV\n1,0,0,3,0\n1,1,0,5,1\n"
    dataset = read(text)
    assert warned(dataset) == [("MDV-EVID", 3, "1")]
    assert list(dataset.records["MDV"]) == [0, 1]


def test_mdv_makes_a_dose_an_observation_too(read: Read) -> None:
    text = "ID,TIME,EVID,AMT,DV,MDV\n1,0,1,9,.,1\n1,1,1,9,5,0\n"
    dataset = read(text)
    assert warned(dataset) == [("MDV-EVID", 3, "1")]
    assert list(dataset.line) == [2, 3, 3]
    assert list(dataset.records["EVID"]) == [1, 0, 1]  # the sample before the dose
    assert list(dataset.records["AMT"]) == [9, 0, 9]
    assert list(dataset.records["MDV"]) == [1, 0, 1]


def test_mdv_without_a_value_leaves_the_dose_alone(read: Read) -> None:
    text = "ID,TIME,EVID,AMT,DV,MDV\n1,0,1,9,.,0\n1,1,0,0,5,0\n"
    dataset = read(text)
    assert warned(dataset) == [("MDV-EVID", 2, "1")]
    assert list(dataset.records["MDV"]) == [1, 0]


def test_missing_sample_is_silent(read: Read) -> None:
    assert read("ID,TIME,EVID,DV,MDV\n1,0,0,3,0\n1,1,0,.,1\n").findings == ()


def test_other_event_without_a_compartment(read: Read) -> None:
    rows = "1,0,0,0,3,1\n1,1,2,0,.,.\n1,2,3,0,.,.\n1,3,3,0,.,0\n"
    dataset = read("ID,TIME,EVID,AMT,DV,CMT\n" + rows, drop=["AMT"])
    assert warned(dataset) == [("EVID-CMT", 3, "1"), ("EVID-CMT", 4, "1")]


def test_column_nobody_uses(read: Read) -> None:
    text = "ID,TIME,DV,WT,AGE,NOTE\n1,0,3,70,30,x\n"
    expect = Expectations({"c": ExpectedOutput()})
    dataset = read(text, expect=expect, covariates={"WT": "locf"}, drop=["NOTE"])
    assert warned(dataset) == [("COLUMN-UNUSED", 1, None)]
    assert dataset.findings[0].column == "AGE"


def test_measured_below_the_limit(read: Read) -> None:
    text = "ID,TIME,DV,CENS,LLOQ\n1,0,3,0,1\n1,1,0.9,0,1\n1,2,2,0,1\n"
    dataset = read(text)
    assert warned(dataset) == [("DV-BELOW-LLOQ", 3, "1")]
    assert np.all(dataset.records["CENSOR"] == 0)


def test_other_encoding_is_said(read: Read) -> None:
    dataset = read("ID,TIME,DV\nMüller,0,3\n".encode("latin-1"))
    assert [f.rule for f in dataset.findings] == ["ENCODING"]
    assert dataset.subject == ("Müller",)
