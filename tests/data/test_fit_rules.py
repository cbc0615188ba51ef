"""Every ERROR that needs the fit: what its outputs, doses and covariates expect."""

from collections.abc import Callable

import pytest

from imak_pkpd.data import (
    Dataset,
    Expectations,
    ExpectedCount,
    ExpectedOutput,
    errors,
)

Read = Callable[..., Dataset]

DOSES = "ID,TIME,EVID,AMT,RATE,CMT,DV\n"
DOSE = "1,0,1,100,0,1,.\n"
SAMPLE = "1,2,0,0,0,1,5.5\n"


def only_error(dataset: Dataset) -> tuple[str, int | None, str | None]:
    """Rule, line and subject of the one error, which must have a hint."""
    found = errors(dataset.findings)
    assert [finding.rule for finding in found] == [found[0].rule], found
    assert found[0].hint
    return found[0].rule, found[0].line, found[0].subject


ONE = Expectations({"concentration": ExpectedOutput(lognormal=True)})
TWO = Expectations(
    {"concentration": ExpectedOutput(dvid=1), "effect": ExpectedOutput(dvid="pd")}
)


def test_compartment_that_is_no_input(read: Read) -> None:
    text = DOSES + DOSE + SAMPLE + "1,3,1,100,0,2,.\n"
    assert errors(read(text).findings) == []  # without a fit nobody can know
    assert only_error(read(text, expect=ONE)) == ("CMT-INPUT", 4, "1")


UNITS = "ID,TIME,DV,AVALU\n1,0,5.5,mg/L\n1,1,4.5,ng/mL\n1,2,3.5,.\n1,3,2.5,\n"


def test_unit_that_the_file_states(read: Read) -> None:
    """A row that says another unit is refused; one that says none is believed."""
    expect = Expectations({"concentration": ExpectedOutput(unit="mg/L")})
    dataset = read(UNITS, expect=expect)
    assert only_error(dataset) == ("DV-UNIT", 3, "1")
    said = errors(dataset.findings)[0].message
    assert said == "AVALU is 'ng/mL' (the output is in 'mg/L')"
    assert errors(read(UNITS.replace("ng/mL", "mg/L"), expect=expect).findings) == []
    assert errors(read(UNITS, expect=expect, drop=["AVALU"]).findings) == []
    assert errors(read(UNITS, expect=ONE).findings) == []  # nothing to compare with
    other = UNITS.replace("AVALU", "DVU")
    found = read(other, expect=expect, columns={"AVALU": "DVU"})
    assert only_error(found) == ("DV-UNIT", 3, "1")


def test_unit_of_a_count(read: Read) -> None:
    """DV is then a number of cells, whatever the output is."""
    count = ExpectedCount("trials", 100.0)
    expect = Expectations({"share": ExpectedOutput(unit="", count=count)})
    text = "ID,TIME,DV,AVALU\n1,0,5,cells\n"
    assert errors(read(text, expect=expect).findings) == []


def test_dose_in_a_fit_without_inputs(read: Read) -> None:
    dataset = read(DOSES + DOSE + SAMPLE, expect=ONE, inputs={})
    assert only_error(dataset) == ("CMT-INPUT", 2, "1")


def test_missing_compartment_with_two_inputs(read: Read) -> None:
    text = DOSES + "1,0,1,100,0,.,.\n" + SAMPLE
    dataset = read(text, expect=ONE, inputs={1: "depot", 2: "central"})
    assert only_error(dataset) == ("CMT-INPUT", 2, "1")


@pytest.mark.parametrize(
    ("rate", "rule"), [("-1", "RATE-MODELLED"), ("-2", "DUR-MODELLED")]
)
def test_modelled_infusion_without_its_parameter(
    read: Read, rate: str, rule: str
) -> None:
    text = DOSES + f"1,0,1,100,{rate},1,.\n" + SAMPLE
    assert errors(read(text).findings) == []
    assert only_error(read(text, expect=ONE)) == (rule, 2, "1")
    known = frozenset({"depot"})
    both = Expectations(ONE.outputs, modelled_rate=known, modelled_duration=known)
    assert read(text, expect=both).findings == ()


def test_unknown_dvid(read: Read) -> None:
    text = "ID,TIME,DV,DVID\n1,0,1,1\n1,0,1,3\n"
    assert ("DVID-UNKNOWN", 3) in {
        (f.rule, f.line) for f in errors(read(text, expect=TWO).findings)
    }


def test_missing_dvid_with_two_outputs(read: Read) -> None:
    text = "ID,TIME,DV,DVID\n1,0,1,1\n1,0,1,.\n"
    assert only_error(read(text, expect=TWO)) == ("DVID-UNKNOWN", 3, "1")


def test_two_dvids_for_one_open_output(read: Read) -> None:
    text = "ID,TIME,DV,DVID\n1,0,1,1\n1,0,1,2\n"
    assert only_error(read(text, expect=ONE)) == ("DVID-UNKNOWN", 3, "1")


@pytest.mark.parametrize("dv", ["0", "-1"])
def test_dv_not_positive_under_a_lognormal_error(read: Read, dv: str) -> None:
    text = f"ID,TIME,DV\n1,0,2\n1,1,{dv}\n"
    assert read(text).findings == ()
    assert only_error(read(text, expect=ONE)) == ("DV-LOG", 3, "1")


def test_limit_not_positive_under_a_lognormal_error(read: Read) -> None:
    text = "ID,TIME,DV,CENS\n1,0,2,0\n1,1,0,1\n"
    assert only_error(read(text, expect=ONE)) == ("DV-LOG", 3, "1")


def test_covariate_not_positive_under_a_logarithm(read: Read) -> None:
    text = "ID,TIME,DV,WT\n1,0,1,70\n2,0,1,0\n"
    expect = Expectations(ONE.outputs, log_covariates=frozenset({"WT"}))
    dataset = read(text, expect=expect, covariates={"WT": "constant"})
    assert only_error(dataset) == ("COV-LOG", 3, "2")


def test_covariate_without_a_rule(read: Read) -> None:
    expect = Expectations(ONE.outputs, covariates=frozenset({"WT"}))
    text = "ID,TIME,DV,WT\n1,0,1,70\n"
    assert only_error(read(text, expect=expect)) == ("COV-RULE", 1, None)


def test_words_where_an_effect_needs_numbers(read: Read) -> None:
    text = "ID,TIME,DV,SEX\n1,0,1,F\n2,0,1,M\n"
    expect = Expectations(ONE.outputs, number_covariates=frozenset({"SEX"}))
    dataset = read(text, expect=expect, covariates={"SEX": "constant"})
    assert only_error(dataset) == ("COV-NUM", 1, None)
