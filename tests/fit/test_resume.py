"""A fit killed with SIGKILL at random moments gives the draws of one that was not."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("killed_fit.py")


def begin(run: Path, cache: Path) -> subprocess.Popen:
    command = [sys.executable, str(PROGRAM), str(run), str(cache)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(run: Path, cache: Path) -> tuple[str, int]:
    """The hash of the draws, and how many lines were printed before it."""
    with begin(run, cache) as program:
        lines = program.stdout.read().splitlines() if program.stdout else []
    assert program.returncode == 0
    return lines[-1], len(lines)


def kill_after(run: Path, cache: Path, lines: int, delay: float) -> None:
    """SIGKILL some time after the program printed so many lines."""
    with begin(run, cache) as program:
        assert program.stdout is not None
        for _ in range(lines):
            program.stdout.readline()
        time.sleep(delay)
        program.kill()
        rest = program.stdout.read()
    assert program.returncode == -9, "the program ended before it was killed"
    assert "draws" not in rest


def killed_and_resumed(folder: Path, moments: list[tuple[int, float]]) -> None:
    cache = folder / "cache"
    expected, lines = finish(folder / "whole", cache)
    assert lines > 250  # blocks enough for the moments to be many
    for printed, delay in moments:
        kill_after(folder / "killed", cache, printed, delay)
    assert finish(folder / "killed", cache)[0] == expected


def test_three_kills(tmp_path: Path) -> None:
    """In the climb to the mode, in warm-up, in sampling."""
    killed_and_resumed(tmp_path, [(1, 0.2), (90, 0.003), (150, 0.001)])


@pytest.mark.slow
def test_ten_kills(tmp_path: Path) -> None:
    rng = random.Random(2024)
    moments = [(rng.randint(0, 40), rng.uniform(0.0, 0.02)) for _ in range(10)]
    killed_and_resumed(tmp_path, moments)
