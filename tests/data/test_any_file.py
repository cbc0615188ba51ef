"""Properties of reading: what was written comes back, on its line; nothing raises."""

import csv
import io
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings, strategies as st

from imak_pkpd.data import (
    DataBlock,
    Dataset,
    Expectations,
    ExpectedOutput,
    errors,
    read_dataset,
    show_findings,
    write_findings,
)

quick = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# sizes XLA and SAS can both hold; smaller ones are VALUE-RANGE
numbers = st.floats(-1e300, 1e300, allow_subnormal=False)
names = st.text("ABCab01-é ", min_size=1).map(str.strip).filter(bool)
ids = names.filter(lambda text: text != "NA")
notes = st.text('ab,"\n\r\t ;é', max_size=8)

BLOCK = {
    "time": "h",
    "inputs": {1: "depot"},
    "covariates": {"WT": "linear", "SEX": "nocb"},
    "returning_id": "join",
}
EXPECT = Expectations(
    {
        "pk": ExpectedOutput(dvid=1, lognormal=True, lloq=0.1),
        "pd": ExpectedOutput(dvid=2),
    },
    covariates=frozenset({"WT"}),
    log_covariates=frozenset({"WT"}),
    number_covariates=frozenset({"SEX"}),
)


def read(folder: Path, content: bytes, **block: object) -> Dataset:
    (folder / "pk.csv").write_bytes(content)
    chosen = DataBlock.model_validate({"file": "pk.csv", **(block or BLOCK)})
    return read_dataset(chosen, folder, (), EXPECT if not block else None)


@quick
@given(st.lists(st.tuples(ids, numbers, notes), min_size=1, max_size=12))
def test_what_was_written_is_read(tmp_path: Path, rows: list) -> None:
    """IDs, numbers and physical lines, with line breaks inside quoted cells."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(["ID", "TIME", "DV", "NOTE"])
    lines = []
    for place, (who, value, note) in enumerate(rows):
        # line breaks before this row: \r\n is one
        text = out.getvalue().replace("\r\n", "\n").replace("\r", "\n")
        lines.append(1 + text.count("\n"))
        writer.writerow([f"{who} {place}", place, repr(value), note])
    dataset = read(tmp_path, out.getvalue().encode(), time="h")
    assert errors(dataset.findings) == []
    assert list(dataset.line) == lines
    assert dataset.subject == tuple(f"{r[0]} {i}" for i, r in enumerate(rows))
    assert list(dataset.records["DV"]) == [row[1] for row in rows]


@quick
@given(st.binary(max_size=200))
def test_bytes_never_raise(tmp_path: Path, content: bytes) -> None:
    for form in (content, b"ID,TIME,DV,WT,SEX\n" + content):
        dataset = read(tmp_path, form)
        assert dataset.findings  # nothing this wild is a data set with both outputs
        show_findings(dataset.findings, "pk.csv", 5).encode()
        write_findings(dataset.findings, tmp_path / "findings.csv")


HEADER = (
    "ID,TIME,EVID,AMT,RATE,DUR,ADDL,II,SS,CMT,DV,MDV,DVID,CENS,LIMIT,LLOQ,BLQ,WT,SEX"
)
NUMBER_CELLS = ["0", "1", "2", "-1", "-2", "4", "1.5", "100", "1e308", "-1e308"]
OTHER_CELLS = ["", ".", "NA", "inf", "nan", "abc", "0,5", "Y", "\0", "1e-320", "M"]
cell = st.sampled_from(NUMBER_CELLS + OTHER_CELLS)


@quick
@given(st.lists(st.lists(cell, min_size=19, max_size=19), min_size=1, max_size=8))
def test_rows_of_any_cells_never_raise(tmp_path: Path, rows: list) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([HEADER.split(","), *rows])
    dataset = read(tmp_path, out.getvalue().encode())
    if errors(dataset.findings):
        return
    records = dataset.records
    for name in ("TIME", "EVID", "AMT", "RATE", "ADDL", "II", "SS", "MDV", "CENSOR"):
        assert np.isfinite(records[name]).all()
    used = records["MDV"] == 0
    assert np.isfinite(records["DV"][used]).all()
    assert (records["EVID"][used] == 0).all()
    interval = records["CENSOR"] == 2
    assert (records["LIMIT"][interval] < records["DV"][interval]).all()


@quick
@given(st.lists(st.sampled_from(["1", "2", "3"]), min_size=1, max_size=10))
def test_joined_ids_are_together(tmp_path: Path, who: list[str]) -> None:
    text = "ID,TIME,DV\n" + "".join(f"{w},{t},1\n" for t, w in enumerate(who))
    dataset = read(tmp_path, text.encode(), time="h", returning_id="join")
    assert dataset.findings == ()
    changes = sum(
        a != b for a, b in zip(dataset.subject, dataset.subject[1:], strict=False)
    )
    assert changes == len(set(who)) - 1
    assert sorted(dataset.line) == list(range(2, len(who) + 2))
