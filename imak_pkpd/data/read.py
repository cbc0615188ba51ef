"""`read_dataset` and `check_file`: from a file to a `Dataset` with its findings."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from imak_pkpd.data.block import DataBlock
from imak_pkpd.data.build import build_table
from imak_pkpd.data.carry import fill_gaps
from imak_pkpd.data.cells import read_cells
from imak_pkpd.data.dataset import RECORDS, Dataset
from imak_pkpd.data.expectations import Expectations
from imak_pkpd.data.finding import Finding
from imak_pkpd.data.rules import FILE_RULES, FIT_RULES, FORM_RULES, GO_ON, Form
from imak_pkpd.data.table import Table

Places = Int[np.ndarray, " place"]


def read_dataset(
    block: DataBlock,
    folder: Path,
    extra_columns: Sequence[str] = (),
    expectations: Expectations | None = None,
) -> Dataset:
    """The data set a block describes; `block.file` is relative to `folder`.

    `extra_columns` are further columns the fit reads as they stand (they end up in
    `covariates`); with `expectations` the rules that need the fit run too. Bad content
    is never an exception: it is in `findings`, and a fit refuses those that are errors
    (`refuse_errors`). Raises `ValueError` if there is no such file, or for a SAS file
    without pyreadstat.
    """
    path = folder / block.file
    content = _content(path)
    cells = read_cells(path, content)
    form = Form(cells, block, tuple(extra_columns))
    findings = [finding for rule in FORM_RULES for finding in rule(form)]
    if any(finding.rule not in GO_ON for finding in findings):
        return _nothing(path, content, findings)
    with np.errstate(all="ignore"):  # a cell of 1e308 may overflow: inf compares well
        table = build_table(cells, block, extra_columns, expectations)
        return _dataset(path, content, findings + judge(table), table)


def check_file(path: Path) -> Dataset:
    """A file read with nothing declared: `findings` of the rules that need no fit."""
    return read_dataset(DataBlock(file=Path(path.name), time="as given"), path.parent)


def judge(table: Table) -> list[Finding]:
    """What the rules find in a table; the fit's rules only when a fit is known."""
    rules = FILE_RULES if table.expectations is None else FILE_RULES + FIT_RULES
    return [finding for rule in rules for finding in rule(table)]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(
            f"{path}: the patient file cannot be read ({error.strerror}): "
            "correct file under [data]"
        ) from error


def _nothing(path: Path, content: bytes, findings: Sequence[Finding]) -> Dataset:
    """A data set without rows, of a file whose form is wrong."""
    records = {name: np.zeros(0) for name in RECORDS}
    sha256 = hashlib.sha256(content).hexdigest()
    return Dataset(
        path, sha256, tuple(findings), np.zeros(0, int), (), records, {}, {}, {}, {}
    )


def _dataset(
    path: Path, content: bytes, findings: Sequence[Finding], table: Table
) -> Dataset:
    # a dose that is also an observation becomes two rows, the observation first
    rows = np.repeat(np.arange(len(table.line)), 1 + table.measured_dose)
    return Dataset(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        findings=tuple(findings),
        line=table.line[rows],
        subject=tuple(table.subject[row] for row in rows),
        records=_records(table, rows),
        covariates={name: column[rows] for name, column in _covariates(table).items()},
        levels=_levels(table),
        columns=dict(table.names),
        exclusions=dict(table.exclusions),
    )


def _records(table: Table, rows: Places) -> dict[str, Float[np.ndarray, " row"]]:
    """The record columns of `Dataset`, row by row of `rows`."""
    censored = table.censored
    dose = {name: table.filled(name) for name in ("RATE", "DUR", "ADDL", "II", "SS")}
    plain = {name: table.number(name) for name in ("TIME", "DVID")}
    made = {
        "EVID": table.evid,
        "AMT": table.amt,
        "CMT": table.cmt,
        "MDV": np.where(table.observed, 0.0, 1.0),
        "CENS": table.filled("CENS"),
        "DV": np.where(table.observed, censored.value, table.number("DV")),
        "LIMIT": censored.lower,
        "LLOQ": table.lloq,
        "CENSOR": censored.censor,
        "OUTPUT": table.output.astype(float),
    }
    records = {name: column[rows] for name, column in (plain | dose | made).items()}
    return _split_measured_doses(records, table.measured_dose[rows], rows)


def _split_measured_doses(
    records: dict[str, np.ndarray], both: np.ndarray, rows: Places
) -> dict[str, np.ndarray]:
    """The first of two equal rows made an observation, the second an event."""
    second = both & (np.diff(rows, prepend=-1) == 0)
    first = both & ~second
    for name in ("EVID", "AMT", "RATE", "DUR", "ADDL", "II", "SS"):
        records[name][first] = 0.0
    records["MDV"][second] = 1.0
    records["OUTPUT"][second] = -1.0
    records["CENSOR"][second] = 0.0
    return records


def _covariates(table: Table) -> Mapping[str, Float[np.ndarray, " row"]]:
    """Declared covariates filled by their rule; further columns by the last value.

    A column of counts may be empty in a subject that has no such row: 1 stands there.
    """
    time, rules = table.number("TIME"), table.block.covariates
    found = {
        name: fill_gaps(column.values, time, table.run, rules.get(name, "locf"))
        for name, column in table.covariates.items()
    }
    return {
        name: np.nan_to_num(values, nan=1.0) if name in table.count_columns else values
        for name, values in found.items()
    }


def _levels(table: Table) -> dict[str, tuple[str, ...]]:
    columns = {**table.covariates, "DVID": table.standard["DVID"]}
    return {name: column.levels for name, column in columns.items() if column.levels}
