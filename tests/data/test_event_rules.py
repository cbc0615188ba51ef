"""Every rule of a time to an event: what it finds, and what it lets pass."""

from collections.abc import Callable

import pytest

from imak_pkpd.data import Dataset, Expectations, ExpectedOutput, errors

Read = Callable[..., Dataset]
HEADER = "ID,TIME,DVID,DV\n"
BOTH = Expectations(
    {
        "death": ExpectedOutput(dvid=1, event="exact"),
        "relapse": ExpectedOutput(dvid=2, event="interval"),
        "level": ExpectedOutput(dvid=3),
    }
)


def found(dataset: Dataset) -> list[tuple[str, int | None]]:
    each = errors(dataset.findings)
    assert all(finding.hint for finding in each)
    return [(finding.rule, finding.line) for finding in each]


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ("1,0,1,0\n1,9,1,1\n", []),
        ("1,0,1,0\n1,9,1,0\n1,9,2,0\n", []),
        ("1,0,2,0\n1,5,2,0\n1,9,2,1\n1,12,1,1\n", []),
        ("1,0,3,7.5\n1,5,2,1\n", []),  # since the first record
        ("1,0,1,1\n", []),  # an exact event at entry
        ("1,0,1,0\n1,9,1,2\n", [("EVENT-DV", 3)]),
        ("1,0,1,0\n1,9,1,0.5\n", [("EVENT-DV", 3)]),
        ("1,0,1,0\n1,9,1,-1\n", [("EVENT-DV", 3)]),
        ("1,0,1,0\n1,9,1,1\n1,12,1,0\n", [("EVENT-AFTER", 4)]),
        ("1,0,1,0\n1,9,1,1\n1,12,1,1\n", [("EVENT-AFTER", 4)]),
        ("1,0,1,0\n1,9,1,1\n2,0,1,0\n2,9,1,1\n", []),
        ("1,0,2,1\n", [("EVENT-WINDOW", 2)]),
        ("1,0,3,7\n1,5,2,0\n1,5,2,1\n", [("EVENT-WINDOW", 4)]),
    ],
)
def test_rows_until_an_event(
    read: Read, rows: str, wanted: list[tuple[str, int]]
) -> None:
    assert found(read(HEADER + rows, (), BOTH)) == wanted


@pytest.mark.parametrize(
    ("column", "cell", "refused"),
    [
        ("CENS", "1", True),
        ("CENS", "0", False),
        ("BLQ", "1", True),
        ("BLQ", "0", False),
        ("LIMIT", "3", True),
        ("LLOQ", "0.5", True),
        ("LLOQ", ".", False),
    ],
)
def test_an_event_has_no_limit(
    read: Read, column: str, cell: str, refused: bool
) -> None:
    text = f"ID,TIME,DVID,DV,{column}\n1,0,1,0,.\n1,9,1,1,{cell}\n"
    rules = [rule for rule, _ in found(read(text, (), BOTH))]
    assert ("EVENT-LIMIT" in rules) == refused


def test_messages_say_got_expected_and_what_to_do(read: Read) -> None:
    text = HEADER + "7,0,1,0\n7,4,1,1\n7,9,1,1\n"
    (finding,) = errors(read(text, (), BOTH).findings)
    assert finding.text("tte.csv") == (
        "tte.csv:4: [EVENT-AFTER] subject 7: DV is '1' "
        "(the event is in line 3: no row after it was expected)"
    )
    assert finding.hint == (
        "remove the row; an event that comes again is not a time to an event"
    )
    (finding,) = errors(read(HEADER + "7,0,1,0\n7,4,1,14\n", (), BOTH).findings)
    assert finding.text("tte.csv") == (
        "tte.csv:3: [EVENT-DV] subject 7: DV is '14' "
        "(0 (seen without the event) or 1 (the event) was expected)"
    )


def test_a_reset_begins_a_new_clock(read: Read) -> None:
    """TIME runs backwards there: the length of that window is not judged."""
    text = "ID,TIME,EVID,DVID,DV\n1,0,0,2,0\n1,9,3,.,.\n1,0,0,2,1\n"
    assert ("EVENT-WINDOW", 4) not in found(read(text, (), BOTH))
