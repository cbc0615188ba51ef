"""A fit file and the files it is based on, as one tree that knows its lines.

`read_source` reads the chain of `based_on` and merges it: tables key by key, arrays
replace, `key = "drop"` removes. A number stated in a new way (another of fixed,
column, median, dist) replaces the old number as a whole. Nothing is run.
"""

import hashlib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from imak_pkpd.fit.lines import Key, key_lines
from imak_pkpd.population.prior import WAYS

DROP = "drop"
"""The value that removes a key of the file below."""

Tree = Mapping[str, Any]


class FitError(ValueError):
    """What is wrong with a fit file: all `sentences`; prints the first and a count."""

    def __init__(self, sentences: list[str]) -> None:
        self.sentences = tuple(sentences)
        rest = len(sentences) - 1
        more = f" (and {rest} more error{'s' * (rest > 1)})" if rest else ""
        super().__init__(sentences[0] + more)


class FitFile(NamedTuple):
    """One file of the chain, as it was read."""

    path: Path
    text: str
    sha256: str


class Place(NamedTuple):
    """A line of a file."""

    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}"


@dataclass(frozen=True)
class Source:
    """The merged tree, where each of its keys was set, and the files, own one first."""

    tree: Tree = field(default_factory=dict)
    places: Mapping[Key, Place] = field(default_factory=dict)
    files: tuple[FitFile, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder of the fit file, to which file names are relative."""
        return self.files[0].path.parent if self.files else Path()

    def place(self, *path: str | int) -> Place:
        """Where a key was set; the nearest table above it where it is absent."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return Place(self.files[0].path if self.files else Path("fit"), 1)

    def sentence(self, path: Key, text: str) -> str:
        """`file:line: table.key: text`."""
        dotted = "".join(
            f"[{each + 1}]" if isinstance(each, int) else f".{each}" for each in path
        )
        named = f"{dotted.removeprefix('.')}: " if path else ""
        return f"{self.place(*path)}: {named}{text}"


def read_source(path: Path) -> Source:
    """The merged chain of a fit file; `FitError` where it cannot be read or merged."""
    return _chain(path.resolve(), (), None)


def _chain(path: Path, above: tuple[Path, ...], named_at: Place | None) -> Source:
    if path in above:
        circle = " -> ".join(each.name for each in (*above, path))
        raise FitError([f"{named_at}: based_on goes in a circle: {circle}"])
    own = _read_one(path, named_at)
    parent = own.tree.get("based_on")
    if parent is None:
        _refuse_idle_drops({}, own)
        return own
    at = own.place("based_on")
    if not isinstance(parent, str):
        raise FitError([f"{at}: based_on: got {parent!r}: write a file's name"])
    below = _chain((path.parent / parent).resolve(), (*above, path), at)
    return _merge_sources(below, own)


def _read_one(path: Path, named_at: Place | None) -> Source:
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")  # editors on Windows may write a BOM
        tree = tomllib.loads(text)
    except OSError as error:
        before = f"{named_at}: based_on: " if named_at else ""
        raise FitError([f"{before}cannot read {path}: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise FitError([f"{path.name}:{line}: not UTF-8: save it as UTF-8"]) from error
    except tomllib.TOMLDecodeError as error:
        raise FitError([f"{path.name}:{_not_toml(str(error), text)}"]) from error
    file = FitFile(path, text, hashlib.sha256(raw).hexdigest())
    places = {key: Place(path, line) for key, line in key_lines(text).items()}
    return Source(tree, places, (file,))


def _not_toml(message: str, text: str) -> str:
    """`line: not TOML: what tomllib says`, which puts the line at its end."""
    found = re.search(r" \(at line (\d+), column \d+\)$", message)
    line = int(found[1]) if found else len(text.splitlines())
    return f"{line}: not TOML: {message[: found.start()] if found else message}"


def _merge_sources(below: Source, above: Source) -> Source:
    _refuse_idle_drops(below.tree, above)
    moved = _moved(below.tree, below.folder, above.folder)
    places = {**below.places, **above.places}
    return Source(merge(moved, above.tree), places, above.files + below.files)


def merge(below: Tree, above: Tree) -> Tree:
    """The tables merged key by key; arrays and numbers said anew replace; drops go."""
    kept = {} if _said_anew(below, above) else below
    merged = {key: value for key, value in kept.items() if above.get(key) != DROP}
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(kept.get(key), Mapping):
            merged[key] = merge(kept[key], value)
        elif value != DROP:
            merged[key] = value
    return merged


def _said_anew(below: Tree, above: Tree) -> bool:
    """Whether both state one number, `above` by another way or distribution."""
    old, new = _ways(below), _ways(above)
    return bool(old and new) and (
        old.keys() != new.keys() or old.get("dist") != new.get("dist")
    )


def _ways(table: Tree) -> dict[str, Any]:
    said = {way: table[way] for way in WAYS if way in table and table[way] != DROP}
    return {way: value for way, value in said.items() if not isinstance(value, Mapping)}


def _refuse_idle_drops(below: Tree, above: Source) -> None:
    """Refuse `key = "drop"` where the files below have no such key."""
    idle = list(_idle_drops(below, above.tree, ()))
    if idle:
        text = 'got "drop", but no file below sets this key: remove the line'
        raise FitError([above.sentence(path, text) for path in idle])


def _idle_drops(below: Tree, above: Tree, path: Key) -> Iterator[Key]:
    for key, value in above.items():
        if value == DROP and key not in below:
            yield (*path, key)
        elif isinstance(value, Mapping):
            inner = below.get(key)
            under = inner if isinstance(inner, Mapping) else {}
            yield from _idle_drops(under, value, (*path, key))


def _moved(tree: Tree, old: Path, new: Path) -> Tree:
    """The tree with its relative file names as seen from another folder."""
    moved = dict(tree)
    if isinstance(tree.get("model"), str):
        moved["model"] = relocate(tree["model"], old, new)
    data = tree.get("data")
    if isinstance(data, Mapping) and isinstance(data.get("file"), str):
        moved["data"] = {**data, "file": relocate(data["file"], old, new)}
    return moved


def relocate(name: str, old: Path, new: Path) -> str:
    """A file name relative to `old`, relative to `new`; an absolute one stays."""
    if old == new or Path(name).is_absolute():
        return name
    return Path(os.path.relpath(old / name, new)).as_posix()
