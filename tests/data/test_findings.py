"""The findings table as CSV and on the screen; the refusal; the block itself."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from imak_pkpd.data import (
    DataBlock,
    Dataset,
    check_file,
    read_dataset,
    refuse_errors,
    show_findings,
    write_findings,
)

Read = Callable[..., Dataset]

BAD = "ID,TIME,DV\n" + "".join(f"1,{t},x{t}\n" for t in range(30))


def test_csv_has_every_finding(read: Read, tmp_path: Path) -> None:
    dataset = read(BAD)
    write_findings(dataset.findings, tmp_path / "findings.csv")
    with (tmp_path / "findings.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    header = ["rule", "severity", "line", "ID", "column", "value", "message", "hint"]
    assert rows[0] == header
    assert len(rows) == 31
    message = "DV is 'x4' (a number was expected)"
    assert rows[5][:7] == ["DV-NUM", "error", "6", "1", "DV", "x4", message]


def test_screen_has_the_first_twenty(read: Read) -> None:
    lines = show_findings(read(BAD).findings, "pk.csv").splitlines()
    assert (
        lines[0] == "pk.csv:2: [DV-NUM] subject 1: DV is 'x0' (a number was expected)"
    )
    assert sum(line.startswith("pk.csv:") for line in lines) == 20
    assert lines[-1] == "… and 10 more findings"


def test_errors_come_before_warnings(read: Read) -> None:
    text = "ID,TIME,DV\n1,0,1\n1,0,2\n1,1,x\n"
    lines = show_findings(read(text).findings, "pk.csv").splitlines()
    assert lines[0].startswith("pk.csv:4: [DV-NUM]")
    assert lines[2].startswith("pk.csv:3: [REPLICATE]")


def test_control_characters_stay_on_one_line(read: Read) -> None:
    text = show_findings(
        read('ID,TIME,DV\n"a\nb",0,"x\n\x1b[31my"\n').findings, "pk.csv"
    )
    assert "\x1b" not in text
    assert r"subject a\nb: DV is 'x\n" in text


def test_refusal_is_one_sentence(read: Read) -> None:
    with pytest.raises(ValueError, match=r"pk\.csv:2: \[DV-NUM\] .*29 more errors"):
        refuse_errors(read(BAD))
    sound = read("ID,TIME,DV\n1,0,1\n")
    assert refuse_errors(sound) is sound


def test_missing_file_is_one_sentence(tmp_path: Path) -> None:
    block = DataBlock(file=Path("none.csv"), time="h")
    with pytest.raises(ValueError, match=r"none\.csv: the patient file cannot be read"):
        read_dataset(block, tmp_path)


def test_hash_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "pk.csv").write_bytes(b"")
    # SHA-256 of nothing (FIPS 180-4 example)
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert check_file(tmp_path / "pk.csv").sha256 == nothing


def test_block_is_hashable_and_printable() -> None:
    settings = {"file": "a.csv", "time": "h", "inputs": {"1": "depot"}}
    one, two = DataBlock.model_validate(settings), DataBlock.model_validate(settings)
    assert hash(one) == hash(two)
    assert one.inputs == {1: "depot"}
    assert "depot" in str(one)


@pytest.mark.parametrize(
    "wrong",
    [
        {"covariates": {"WT": "last"}},
        {"covariates": ["WT"]},
        {"columns": {"CONC": "DV"}},
        {"inputs": {0: "depot"}},
        {"clock": "HOUR", "time": "fortnight"},
        {"clock": "HOUR", "columns": {"TIME": "HOUR"}},
        {"exclude": [{"column": "FLAG", "equals": 1, "reason": ""}]},
        {"fil": "a.csv"},
    ],
)
def test_block_refuses(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DataBlock.model_validate({"file": "a.csv", "time": "h"} | wrong)
