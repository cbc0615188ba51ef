"""The decision table CENS x BLQ x DV x LLOQ x LIMIT, row by row, through a file."""

from collections.abc import Callable

import numpy as np
import pytest

from imak_pkpd.data import Dataset, Expectations, ExpectedOutput, errors

Read = Callable[..., Dataset]

NAN = float("nan")


def only_row(dataset: Dataset) -> tuple[float, float, float]:
    """CENSOR, DV and LIMIT of the one row."""
    assert errors(dataset.findings) == []
    row = [float(dataset.records[name][0]) for name in ("CENSOR", "DV", "LIMIT")]
    return row[0], row[1], row[2]


def same(got: tuple[float, float, float], *wanted: float) -> None:
    np.testing.assert_array_equal(got, wanted)  # NaN equals NaN here


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        # CENS, DV, LLOQ, LIMIT -> CENSOR, DV, LIMIT
        ("0,7,.,.", (0, 7, NAN)),
        (".,7,1,3", (0, 7, NAN)),
        ("1,2,.,.", (1, 2, NAN)),
        ("1,0,2,.", (1, 2, NAN)),
        ("1,.,2,.", (1, 2, NAN)),
        ("1,.,.,2", (1, 2, NAN)),
        ("1,2,.,0", (2, 2, 0)),
        ("1,.,2,0.5", (2, 2, 0.5)),
        ("-1,9,.,.", (-1, 9, NAN)),
        ("-1,9,1,12", (2, 12, 9)),
        ("-1,.,.,12", (-1, 12, NAN)),
    ],
)
def test_cens(read: Read, cells: str, wanted: tuple[float, ...]) -> None:
    dataset = read(f"ID,TIME,CENS,DV,LLOQ,LIMIT\n1,0,{cells}\n")
    same(only_row(dataset), *wanted)


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        ("N,7,1", (0, 7, NAN)),
        ("0,7,1", (0, 7, NAN)),
        ("Y,.,1", (1, 1, NAN)),
        ("1,0,1", (1, 1, NAN)),
        ("1,0.5,1", (1, 1, NAN)),
    ],
)
def test_blq(read: Read, cells: str, wanted: tuple[float, ...]) -> None:
    dataset = read(f"ID,TIME,BLQ,DV,LLOQ\n1,0,{cells}\n")
    same(only_row(dataset), *wanted)


@pytest.mark.parametrize(
    ("dv", "wanted"), [("0.5", (1, 1, NAN)), ("1", (0, 1, NAN)), ("7", (0, 7, NAN))]
)
def test_lloq_alone(read: Read, dv: str, wanted: tuple[float, ...]) -> None:
    same(only_row(read(f"ID,TIME,DV,LLOQ\n1,0,{dv},1\n")), *wanted)


def test_lloq_of_the_fit_where_the_file_has_none(read: Read) -> None:
    expect = Expectations(
        {"pk": ExpectedOutput(dvid=1, lloq=1.0), "pd": ExpectedOutput(dvid=2)}
    )
    rows = "1,0,0.5,1,.\n1,1,0.5,1,0.1\n1,2,0.5,2,.\n"
    dataset = read("ID,TIME,DV,DVID,LLOQ\n" + rows, expect=expect)
    assert list(dataset.records["CENSOR"]) == [1, 0, 0]
    assert list(dataset.records["DV"]) == [1, 0.5, 0.5]
    np.testing.assert_array_equal(dataset.records["LLOQ"], [1, 0.1, NAN])
    assert list(dataset.records["OUTPUT"]) == [0, 0, 1]


def test_interval_from_zero_is_left_censored_under_a_lognormal_error(
    read: Read,
) -> None:
    text = "ID,TIME,CENS,DV,LIMIT\n1,0,1,2,0\n"
    lognormal = Expectations({"pk": ExpectedOutput(lognormal=True)})
    additive = Expectations({"pk": ExpectedOutput()})
    same(only_row(read(text, expect=lognormal)), 1, 2, NAN)
    same(only_row(read(text, expect=additive)), 2, 2, 0)


def test_flags_on_rows_that_are_no_observation_mean_nothing(read: Read) -> None:
    text = "ID,TIME,EVID,AMT,CENS,DV\n1,0,1,9,1,.\n1,1,0,0,0,3\n"
    dataset = read(text)
    assert dataset.findings == ()
    assert list(dataset.records["CENSOR"]) == [0, 0]


def test_outputs_by_word(read: Read) -> None:
    expect = Expectations(
        {"concentration": ExpectedOutput(dvid="PK"), "effect": ExpectedOutput()}
    )
    text = "ID,TIME,DV,DVID\n1,0,3,effect\n1,0,3,PK\n"
    dataset = read(text, expect=expect)
    assert dataset.findings == ()
    assert list(dataset.records["OUTPUT"]) == [1, 0]
