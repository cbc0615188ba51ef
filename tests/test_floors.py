"""Imports run downwards only, like the floors of a house (CONTRIBUTING.md)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

GROUND = {"model", "data", "population"}
BELOW_FIT = GROUND | {"solve", "observe", "estimand", "evidence", "choice"}
MAY_IMPORT: dict[str, set[str]] = {
    "model": set(),
    "data": set(),
    "population": set(),
    "solve": GROUND,
    "observe": GROUND,
    "estimand": {"solve"},
    "evidence": {"population"},
    "choice": {"population"},
    "fit": BELOW_FIT,
    "check": BELOW_FIT | {"fit"},
    "decide": BELOW_FIT | {"fit"},
    "report": {"check", "decide", "fit"},
    "explore": {"check", "decide", "fit", "report"},
    "scale": set(),  # beside the house: runs functions it is given
    "project": set(),
}
TOP = set(MAY_IMPORT) - {"project"}  # what the package's own __init__ may offer
MAY_IMPORT |= {"__init__": TOP, "cli": set(MAY_IMPORT) | {"__init__"}}


def modules(path: Path, package: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every dotted name that this file imports; `package` is where it lives."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else ()
            stem = (*parents, *(node.module or "").split("."))
            yield from ((*stem, alias.name) for alias in node.names)


def ours(path: Path, package: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (name for name in modules(path, package) if name[0] == "imak_pkpd")


def target(house: Path, name: tuple[str, ...]) -> str:
    """The room a dotted name lies in; the package's own names are in `__init__`."""
    room = name[1] if len(name) > 1 else "__init__"
    found = (house / room).is_dir() or (house / f"{room}.py").is_file()
    return room if found else "__init__"


def broken(root: Path) -> Iterator[str]:
    house = root / "imak_pkpd"
    for path in sorted(house.rglob("*.py")):
        place = path.relative_to(root).with_suffix("").parts
        for name in ours(path, place[:-1]):
            room = target(house, name)
            if room != place[1] and room not in MAY_IMPORT[place[1]]:
                yield f"{path.relative_to(root)} imports {'.'.join(name)}"


def test_every_room_stands_on_a_floor(root: Path) -> None:
    house = root / "imak_pkpd"
    rooms = {f.relative_to(house).with_suffix("").parts[0] for f in house.rglob("*.py")}
    assert rooms - set(MAY_IMPORT) == set()


def test_imports_run_downwards(root: Path) -> None:
    assert list(broken(root)) == []


def test_a_model_file_knows_only_the_model_room(root: Path) -> None:
    wrong = [
        f"{path.name} imports {'.'.join(name)}"
        for path in sorted((root / "models").glob("*.py"))
        for name in ours(path, ())
        if name[1:2] != ("model",)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("model", "from imak_pkpd.fit.spec import FitSpec"),
        ("data", "import imak_pkpd.model.abstract"),
        ("solve", "from ..observe import errors"),
        ("check", "from imak_pkpd import report"),
        ("observe", "def f():\n    from imak_pkpd.report import page"),
    ],
)
def test_an_import_upwards_is_seen(tmp_path: Path, room: str, line: str) -> None:
    for name in ("model", "data", "solve", "observe", "check", "fit", "report"):
        (tmp_path / "imak_pkpd" / name).mkdir(parents=True)
    (tmp_path / "imak_pkpd" / room / "x.py").write_text(line)
    assert len(list(broken(tmp_path))) == 1
