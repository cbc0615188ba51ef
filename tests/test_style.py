"""Names, sizes and words that must not appear in what is committed."""

import re
import subprocess
from pathlib import Path

import pytest

DRAWERS = {"util", "utils", "helper", "helpers", "common", "base", "misc"}
LONGEST = 400  # lines: beyond it a newcomer no longer finds one thing in a file
MACHINE = re.compile(r"(?:^|[^\w.])/(?:work|root|home|Users)/")
REGISTRY = re.compile(
    r"https?://[^\s\"]*/(?:simple|packages)/"
    r"|(?:registry|index-url|find-links)\"?[ =:]+\"?(?:https?|file)://"
)
UNFINISHED = re.compile(r"\b(?:TO[D]O|FIX[M]E|X[X]X|NotImplementedErro[r])\b")


@pytest.fixture(scope="module")
def files(root: Path) -> list[Path]:
    """Every committed or about-to-be-committed file that is text."""
    if not (root / ".git").exists():
        pytest.skip("not a git checkout: the list of files is unknown")
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    found = [root / line for line in done.stdout.splitlines()]
    return [f for f in found if f.is_file() and b"\0" not in f.read_bytes()]


def lines_with(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    return [
        f"{path.name}:{number}: {line.strip()[:80]}"
        for path in files
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_drawers(files: list[Path]) -> None:
    assert [f.name for f in files if f.stem in DRAWERS] == []


def test_files_hold_one_thing(files: list[Path]) -> None:
    python = [f for f in files if f.suffix == ".py"]
    length = {f.name: len(f.read_text().splitlines()) for f in python}
    assert {name: n for name, n in length.items() if n > LONGEST} == {}


def test_no_path_of_one_machine(files: list[Path]) -> None:
    assert lines_with(MACHINE, files) == []


def test_no_registry_address(files: list[Path]) -> None:
    assert lines_with(REGISTRY, files) == []


def test_nothing_unfinished(files: list[Path]) -> None:
    assert lines_with(UNFINISHED, [f for f in files if f.suffix == ".py"]) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (MACHINE, "data = '/ho" + "me/someone/pk.csv'"),
        (REGISTRY, "url = https" + "://example.org/simple/jax"),
        (REGISTRY, '"registry": "https' + '://example.org"'),
        (UNFINISHED, "# TO" + "DO later"),
    ],
)
def test_the_patterns_find_what_they_are_for(
    pattern: re.Pattern[str], line: str
) -> None:
    assert pattern.search(line)
