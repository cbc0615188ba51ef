"""`list_runs`: one line per run under a folder, through an SQLite index.

The index is a copy of what the `run.json` files say: delete it at any time.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from imak_pkpd.fit.provenance import hash_file
from imak_pkpd.fit.record import RunRecord
from imak_pkpd.fit.run import RECORD, read_record

INDEX = ".index.sqlite"


class RunRow(NamedTuple):
    """One run; `stale` names what changed since: "fit", "model", "data".

    `status` is "unreadable" (and the rest empty) where `run.json` is damaged.
    """

    folder: str
    run: str
    status: str
    fit: str = ""
    parent: str | None = None
    model: str = ""
    rhat_max: float | None = None
    ess_min: float | None = None
    divergences: int | None = None
    passed: bool | None = None
    tags: str = ""
    stale: str = ""


def list_runs(runs: Path) -> list[RunRow]:
    """All runs under `runs`, oldest first; the index there is made anew."""
    rows = sorted(_rows(runs), key=lambda row: (row.run, row.folder))
    if runs.is_dir():
        _write(runs / INDEX, rows)
    return rows


def read_index(runs: Path) -> list[RunRow]:
    """What the index says, without looking at the runs; empty without an index."""
    path = runs / INDEX
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as base:
        found = base.execute("SELECT * FROM runs ORDER BY run, folder").fetchall()
    return [_typed(RunRow(*row)) for row in found]


def _write(path: Path, rows: list[RunRow]) -> None:
    marks = ", ".join("?" * len(RunRow._fields))
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("DROP TABLE IF EXISTS runs")
        base.execute(f"CREATE TABLE runs ({', '.join(RunRow._fields)})")
        base.executemany(f"INSERT INTO runs VALUES ({marks})", rows)


def _typed(row: RunRow) -> RunRow:
    """SQLite gives a truth value back as 0 or 1."""
    return row if row.passed is None else row._replace(passed=bool(row.passed))


def _rows(runs: Path) -> Iterator[RunRow]:
    for path in runs.glob(f"**/{RECORD}"):
        if not any(part.startswith(".") for part in path.relative_to(runs).parts):
            yield _row(path.parent, runs)


def _row(folder: Path, runs: Path) -> RunRow:
    place = str(folder.relative_to(runs))
    try:
        record = read_record(folder)
    except ValueError:
        return RunRow(place, folder.name, "unreadable")
    result = record.result
    both = (result.ess_bulk_min, result.ess_tail_min) if result else ()
    return RunRow(
        folder=place,
        run=record.run,
        fit=Path(record.fit.path).name,
        status=record.status,
        parent=record.based_on,
        model=Path(record.model.path).name,
        rhat_max=result.rhat_max if result else None,
        ess_min=min((ess for ess in both if ess is not None), default=None),
        divergences=result.divergences if result else None,
        passed=result.passed if result else None,
        tags=" ".join(record.tags),
        stale=" ".join(changed_since(record)),
    )


def changed_since(record: RunRecord) -> list[str]:
    """Which of "fit", "model", "data" is no longer as it was when the run was made."""
    sources = {"fit": record.fit, "model": record.model, "data": record.data}
    return [
        name
        for name, source in sources.items()
        if source is not None and not _same(Path(source.path), source.sha256)
    ]


def _same(path: Path, sha256: str) -> bool:
    return path.is_file() and hash_file(path) == sha256
