"""The run folder: made, filled and finished so that it is never half there.

`runs/<fit stem>/<time>-<hash>/` holds `run.json` from the first moment, `checkpoint/`
while sampling, then `posterior.nc`, `report.html` and tables.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from imak_pkpd.fit.atomic import write_text
from imak_pkpd.fit.record import RunRecord, now

RECORD = "run.json"
POSTERIOR = "posterior.nc"
CHECKPOINT = "checkpoint"


def create_run(record: RunRecord, runs: Path, out: Path | None = None) -> Path:
    """The new folder of a run, with `run.json` in it.

    It is `runs/<fit stem>/<run>` or, given `out`, that folder. It is filled under
    another name and then moved. Raises a `ValueError` when there is something already.
    """
    folder = out or runs / Path(record.fit.path).stem / record.run
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{record.run}.tmp")
    temporary.mkdir()
    try:
        write_text(temporary / RECORD, record.model_dump_json(indent=1))
        temporary.rename(folder)  # fails unless the name is free or an empty folder
    except OSError as error:
        raise ValueError(
            f"{folder} already holds something: give another folder, or continue that "
            "run with `imak resume`"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def read_record(folder: Path) -> RunRecord:
    """The record of a run; a `ValueError` when there is none or it is damaged."""
    path = folder / RECORD
    try:
        return RunRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{folder} is not a run folder: it has no {RECORD}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(
            f"{path} is not a record of a run: {place or 'the file'}: {first['msg']}"
        ) from error


def update_record(folder: Path, **changes: Any) -> RunRecord:
    """The record with `changes`, also on disk."""
    old = read_record(folder)
    record = RunRecord.model_validate({**dict(old), **changes})
    write_text(folder / RECORD, record.model_dump_json(indent=1))
    return record


@contextmanager
def recording(folder: Path) -> Iterator[None]:
    """Notes in the record that the run failed, if it does.

    An interrupted run stays "running": it can be resumed.
    """
    try:
        yield
    except Exception as error:
        update_record(folder, status="failed", error=str(error), end=now())
        raise


def drop_checkpoint(folder: Path) -> None:
    """Deletes the checkpoint of a run whose posterior is on disk."""
    if (folder / POSTERIOR).exists():
        shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
