"""Answers to questions of a run: a folder in the run folder, whole or not at all.

`<kind>/<of whom>-<hash>/`, where the hash is of what was asked: the same question
of the same run has one answer, which is not written twice.
"""

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from imak_pkpd.decide.finished_run import FinishedRun
from imak_pkpd.decide.notice import NOTICE, SYNTHETIC
from imak_pkpd.fit.provenance import hash_file, hash_text


def answer_folder(
    run: FinishedRun, kind: str, whom: str, files: Iterable[Path], *asked: object
) -> Path:
    """Where the answer to a question is; a `ValueError` if it is there already.

    `whom` begins the folder's name; what is in `files` is part of the question.
    """
    hashes = [hash_file(_there(file)) for file in files]
    question = repr((run.record.run, hashes, *asked))
    folder = run.folder / kind / f"{whom}-{hash_text(question)[:8]}"
    if folder.exists():
        raise ValueError(
            f"{folder} has this answer already: read it there, or remove it first"
        )
    return folder


def numbered_folder(
    run: Path, name: str, document: str, key: str, asked: object
) -> Path:
    """`name`, or `name-2`, ...: the folder whose document says under `key` that the
    same was asked, else the first that is not there yet."""
    number = 1
    while True:
        folder = run / (name if number == 1 else f"{name}-{number}")
        known = folder / document
        if not folder.exists():
            return folder
        if known.exists() and json.loads(known.read_text("utf-8"))[key] == asked:
            return folder
        number += 1


def _there(file: Path) -> Path:
    if not file.is_file():
        raise ValueError(f"{file} is not a file: give one that is there")
    return file


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder beside, which is moved to its place when the block ends well.

    An older answer that is there is replaced.
    """
    folder.parent.mkdir(exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def csv(run: FinishedRun, frame: pd.DataFrame) -> str:
    """The table under a line that says what it is for, and of whom."""
    head = f"{NOTICE} {SYNTHETIC}" if run.synthetic else NOTICE
    return f"# {head}\n{frame.to_csv(index=False)}"
