"""Every SILENT row of the findings table is read without a word."""

from collections.abc import Callable

import numpy as np
import pytest

from imak_pkpd.data import Dataset

Read = Callable[..., Dataset]

PLAIN = "ID,TIME,DV\n1,0,1.5\n1,1,2.5\n2,0,3.5\n"


def same(dataset: Dataset, lines: list[int]) -> None:
    assert dataset.findings == ()
    assert dataset.subject == ("1", "1", "2")
    assert list(dataset.line) == lines
    assert list(dataset.records["TIME"]) == [0, 1, 0]
    assert list(dataset.records["DV"]) == [1.5, 2.5, 3.5]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_byte_order_mark(read: Read, encoding: str) -> None:
    same(read(PLAIN.encode(encoding)), [2, 3, 4])


def test_mixed_line_ends(read: Read) -> None:
    same(read(b"ID,TIME,DV\r\n1,0,1.5\r1,1,2.5\n2,0,3.5"), [2, 3, 4])


def test_quoted_numbers_and_blanks(read: Read) -> None:
    same(read('"ID","TIME","DV"\n"1", "0",1.5\n1 ," 1",2.5\n\n2,0,3.5\n'), [2, 3, 5])


def test_missing_codes_together(read: Read) -> None:
    text = (
        "ID,TIME,DV,AMT,EVID,MDV\n1,0,.,NA,2,1\n1,1,,.,2,1\n1,2,NA,,2,1\n1,3,1,0,0,0\n"
    )
    dataset = read(text + "1,4,.,5,1,1\n", columns={"CMT": "EVID"})
    assert dataset.findings == ()
    assert np.isnan(dataset.records["DV"][[0, 1, 2, 4]]).all()


def test_missing_code_only_when_declared(read: Read) -> None:
    text = "ID,TIME,EVID,DV,MDV\n1,0,2,-99,1\n1,1,0,5,0\n1,2,2,-99.0,1\n"
    assert read(text, columns={"CMT": "TIME"}).records["DV"][0] == -99
    dataset = read(text, columns={"CMT": "TIME"}, missing=[-99])
    assert dataset.findings == ()
    assert list(np.isnan(dataset.records["DV"])) == [True, False, True]


def test_text_ids(read: Read) -> None:
    dataset = read("ID,TIME,DV\nA-01,0,1\nA-01,1,1\n07,0,1\n7,0,1\n")
    assert dataset.findings == ()
    assert dataset.subject == ("A-01", "A-01", "07", "7")


def test_negative_time(read: Read) -> None:
    dataset = read("ID,TIME,EVID,AMT,DV\n1,-1,0,0,3\n1,0,1,9,.\n1,1,0,0,3\n")
    assert dataset.findings == ()
    assert dataset.records["TIME"][0] == -1


CLOCK = "ID,DATE,HOUR,EVID,AMT,DV\n"
CLOCK += (
    "1,2024-02-28,22:30,1,9,.\n1,2024-03-01,8:45:00,0,0,3\n2,2024-03-01,00:00,1,9,.\n"
)
CLOCK += "2,2024-03-01,06:00,0,0,4\n"


def test_clock_and_date_when_declared(read: Read) -> None:
    dataset = read(CLOCK, date="DATE", clock="HOUR")
    assert dataset.findings == ()
    assert list(dataset.records["TIME"]) == [0, 34.25, 0, 6]  # across a leap day
    days = read(CLOCK, date="DATE", clock="HOUR", time="day")
    assert days.records["TIME"][3] == 0.25


def test_clock_alone(read: Read) -> None:
    text = CLOCK.replace("2024-02-28,22:30", "2024-02-28,02:45")
    dataset = read(text, clock="HOUR")
    assert list(dataset.records["TIME"]) == [0, 6, 0, 6]


def test_clock_in_time_is_an_error_unless_declared(read: Read) -> None:
    dataset = read("ID,TIME,DV\n1,08:30,1\n")
    assert [(f.rule, f.line) for f in dataset.findings] == [("TIME-NUM", 2)]
    assert "clock" in dataset.findings[0].hint


@pytest.mark.parametrize("cell", ["24:00", "8.30", "2024-13-01", ".", "8:30+02:00"])
def test_unreadable_clock(read: Read, cell: str) -> None:
    text = CLOCK.replace("8:45:00", cell)
    found = read(text, date="DATE", clock="HOUR").findings
    assert [(f.rule, f.line) for f in found] == [("CLOCK-FORMAT", 3)]


def test_adppk_names(read: Read) -> None:
    header = "USUBJID,AFRLT,NFRLT,EVID,DOSEA,DOSEP,AVAL,AVALU,PARAMCD,ALLOQ,BLQFL,MDV\n"
    rows = "S1,0,0,1,95,100,,,PK,0.5,N,1\nS1,1.1,1,0,95,100,2,ng/mL,PK,0.5,N,0\n"
    rows += "S1,2,2,0,95,100,.,ng/mL,PK,0.5,Y,0\n"
    dataset = read(header + rows)
    assert dataset.findings == ()
    assert dataset.subject == ("S1",) * 3
    assert list(dataset.records["TIME"]) == [0, 1.1, 2]  # actual, not nominal
    assert list(dataset.records["AMT"]) == [95, 0, 0]  # no dose on observations
    assert list(dataset.records["DV"][1:]) == [2, 0.5]
    assert list(dataset.records["CENSOR"]) == [0, 0, 1]
    assert dataset.levels["DVID"] == ("PK",)
    assert dataset.columns["LLOQ"] == "ALLOQ"


def test_rows_without_time(read: Read) -> None:
    dataset = read("ID,DV,SIGMA\n1,28,15\n2,8,10\n", time=None, extra=("SIGMA",))
    assert dataset.findings == ()
    assert list(dataset.records["TIME"]) == [0, 0]
    assert list(dataset.covariates["SIGMA"]) == [15, 10]


def test_excluded_rows_are_counted(read: Read) -> None:
    text = "ID,TIME,DV,FLAG\n1,0,1,0\n1,1,abc,9\n1,2,2,9.0\n1,3,3,C\n"
    excludes = [
        {"column": "FLAG", "equals": 9, "reason": "haemolysed"},
        {"column": "FLAG", "equals": ["C", "D"], "reason": "comment"},
    ]
    dataset = read(text, exclude=excludes)
    assert dataset.findings == ()
    assert list(dataset.line) == [2]
    assert dataset.exclusions == {"haemolysed": 2, "comment": 1}
