"""Every rule of what is counted or graded: what it finds, and what it lets pass."""

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
HEADER = "ID,TIME,DV,CENS,N\n"


def expecting(kind: str, of: float | str) -> Expectations:
    return Expectations({"y": ExpectedOutput(count=ExpectedCount(kind, of))})


SCORED = expecting("trials", "N")


def found(dataset: Dataset) -> list[tuple[str, int | None]]:
    each = errors(dataset.findings)
    assert all(finding.hint for finding in each)
    return [(finding.rule, finding.line) for finding in each]


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("1,0,3,0,500", None),
        ("1,0,0,0,500", None),
        ("1,0,500,0,500", None),
        ("1,0,3,1,500", None),  # K <= 3
        ("1,0,0.6,0,500", "DV-WHOLE"),
        ("1,0,-1,0,500", "DV-WHOLE"),
        ("1,0,2.5,1,500", "DV-WHOLE"),
        ("1,0,501,0,500", "DV-TRIALS"),
        ("1,0,600,-1,500", "DV-TRIALS"),
        ("1,0,3,0,.", "TRIALS-COUNT"),
        ("1,0,0,0,0", "TRIALS-COUNT"),
        ("1,0,0,0,0.5", "TRIALS-COUNT"),
        ("1,0,3,0,many", "TRIALS-COUNT"),
    ],
)
def test_positive_ones_of_so_many(read: Read, row: str, rule: str | None) -> None:
    dataset = read(HEADER + row + "\n", ("N",), SCORED)
    assert found(dataset) == ([] if rule is None else [(rule, 2)])


def test_messages_say_got_expected_and_what_to_do(read: Read) -> None:
    dataset = read(HEADER + "7,0,501,0,500\n", ("N",), SCORED)
    (finding,) = errors(dataset.findings)
    assert finding.text("chi.csv") == (
        "chi.csv:2: [DV-TRIALS] subject 7: DV is '501' "
        "(at most 500 were expected: so many were scored)"
    )
    assert finding.hint == "correct DV or column N"


def test_a_column_that_does_not_exist(read: Read) -> None:
    dataset = read(HEADER + "1,0,3,0,500\n", ("n_scored",), SCORED)
    (finding,) = errors(dataset.findings)
    assert (finding.rule, finding.column) == ("COLUMN-MISSING", "n_scored")


def test_the_lower_limit_of_an_interval_is_a_count_too(read: Read) -> None:
    text = "ID,TIME,DV,CENS,LIMIT,N\n1,0,9,1,2.5,500\n1,1,9,1,2,500\n"
    assert found(read(text, ("N",), SCORED)) == [("DV-WHOLE", 2)]


def test_rows_of_another_output_need_no_number(read: Read) -> None:
    both = Expectations(
        {
            "share": ExpectedOutput(dvid=1, count=ExpectedCount("trials", "N")),
            "level": ExpectedOutput(dvid=2),
        }
    )
    text = "ID,TIME,DV,DVID,N\n1,0,3,1,500\n1,1,2.5,2,.\n2,0,2.5,2,.\n"
    dataset = read(text, ("N",), both)
    assert dataset.findings == ()
    assert dataset.covariates["N"].tolist() == [500.0, 500.0, 1.0]


def test_a_number_in_the_fit_instead_of_a_column(read: Read) -> None:
    text = "ID,TIME,DV\n1,0,3\n1,1,21\n"
    assert found(read(text, (), expecting("trials", 20.0))) == [("DV-TRIALS", 3)]


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("1,0,3,0,20", None),
        ("1,0,3000,0,0.1", None),
        ("1,0,3,0,0", "EXPOSURE"),
        ("1,0,3,0,-2", "EXPOSURE"),
        ("1,0,3,0,.", "EXPOSURE"),
        ("1,0,1.5,0,20", "DV-WHOLE"),
    ],
)
def test_events_in_an_exposure(read: Read, row: str, rule: str | None) -> None:
    dataset = read(HEADER + row + "\n", ("N",), expecting("exposure", "N"))
    assert found(dataset) == ([] if rule is None else [(rule, 2)])


def test_yes_or_no(read: Read) -> None:
    text = "ID,TIME,DV\n1,0,0\n2,0,1\n3,0,2\n4,0,0.5\n"
    wanted = [("DV-WHOLE", 5), ("DV-ANSWER", 4)]
    assert found(read(text, (), expecting("answer", 1.0))) == wanted


def test_grades(read: Read) -> None:
    text = "ID,TIME,DV,CENS\n1,0,0,0\n2,0,4,0\n3,0,5,0\n4,0,3,-1\n5,0,1,1\n6,0,9,1\n"
    wanted = [("DV-GRADE", 4), ("DV-GRADE", 7)]
    assert found(read(text, (), expecting("grade", 4.0))) == wanted
