"""The checkpoint of a running fit: a folder of small files, each written as a whole.

    checkpoint.json             what is being sampled, and on which machine
    start.npz                   positions of the chains and the first metric
    metric-STAGE.npz            the metric learnt at the end of a warm-up window
    STAGE-LANE-FIRSTDRAW.npz    one block: its draws and the chain's state after it

A lane is what one thread runs: one chain, or all chains in one vectorised program.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from imak_pkpd.fit.atomic import write_bytes, write_text

SCHEMA = 2

Arrays = Mapping[str, np.ndarray]
Header = Mapping[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint folder; `digest` marks every file of this problem."""

    folder: Path
    digest: str

    def write(self, name: str, header: Header, arrays: Arrays) -> None:
        """Writes one file of arrays with a JSON header."""
        stamped = json.dumps({**header, "problem": self.digest})
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, header=np.array(stamped), **arrays)
        write_bytes(self.folder / f"{name}.npz", buffer.getvalue())

    def read(self, name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """The header and arrays of a file, None where there is none.

        Raises a `ValueError` for a damaged file and for one of another problem.
        """
        path = self.folder / f"{name}.npz"
        if not path.exists():
            return None
        header, arrays = _load(path)
        if header.get("problem") != self.digest:
            raise ValueError(
                f"{path} belongs to another fit than the checkpoint around it: "
                "start a new run"
            )
        return header, arrays

    def names(self, prefix: str) -> list[str]:
        """Names of the files that begin with `prefix`, in order."""
        return sorted(path.stem for path in self.folder.glob(f"{prefix}*.npz"))


def open_checkpoint(
    folder: Path, problem: Header, machine: Header, force: bool = False
) -> Checkpoint:
    """The checkpoint in `folder`, new or to be continued.

    `problem` (model, data, settings) must be what the checkpoint was made for.
    `machine` (versions, flags, devices) must be too, or draws would not be the same to
    the bit; `force` waives that one. Raises a `ValueError` in one sentence otherwise.
    """
    opened = Checkpoint(folder, digest(problem))
    path = folder / "checkpoint.json"
    if path.exists():
        _compare(path, problem, machine, force)
        return opened
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.glob("*.npz")):
        raise ValueError(f"{path} is missing beside its draws: start a new run")
    identity = {"schema": SCHEMA, "problem": problem, "machine": machine}
    write_text(path, json.dumps(identity, indent=1))
    return opened


def digest(content: Header) -> str:
    """SHA-256 of a JSON-like mapping."""
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _compare(path: Path, problem: Header, machine: Header, force: bool) -> None:
    stored = _identity(path)
    changed = _differences(stored["problem"], problem)
    if changed:
        raise ValueError(
            f"{path} is a checkpoint of another fit ({changed}): "
            "start a new run with `imak fit`"
        )
    moved = _differences(stored["machine"], machine)
    if moved and not force:
        raise ValueError(
            f"{path} was made on another machine or installation ({moved}): "
            "resume there, or force it and accept draws that differ in the last bits"
        )


def _identity(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        known = stored["schema"] == SCHEMA
        _ = stored["problem"], stored["machine"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: start a new run") from error
    if not known:
        raise ValueError(
            f"{path} has schema {stored['schema']}, expected {SCHEMA}: start a new run"
        )
    return stored


def _differences(old: Header, new: Header) -> str:
    """`name: old, now new` of every entry that differs."""
    now = json.loads(json.dumps(new))  # as JSON gives it back: lists, not tuples
    return "; ".join(
        f"{name}: {_short(old.get(name))}, now {_short(now.get(name))}"
        for name in sorted({*old, *now})
        if old.get(name) != now.get(name)
    )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # one line of a terminal


def _load(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    try:
        content = io.BytesIO(path.read_bytes())
        with np.load(content, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return json.loads(str(arrays.pop("header"))), arrays
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is damaged: start a new run") from error
