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


def kill_after(run: Path, cache: Path, lines: int, delay: float) -> bool:
    """SIGKILL some time after the program printed so many lines; did it come in time?

    Not where the fit had ended: this is a race, and a quick machine wins it at times.
    """
    with begin(run, cache) as program:
        assert program.stdout is not None
        head = [program.stdout.readline() for _ in range(lines)]
        time.sleep(delay)
        program.kill()
        printed = "".join(head) + program.stdout.read()
    return program.returncode == -9 and "draws" not in printed


def killed_and_resumed(folder: Path, moments: list[tuple[int, float]]) -> None:
    """As many kills as moments, of one fit and, when that ends, of another."""
    cache = folder / "cache"
    expected, lines = finish(folder / "whole", cache)
    assert lines > 250  # blocks enough for the moments to be many
    fits = [folder / "killed0"]
    kills = 0
    while kills < len(moments):
        assert len(fits) <= len(moments), "most kills came after the end"
        if kill_after(fits[-1], cache, *moments[kills]):
            kills += 1
        else:
            fits.append(folder / f"killed{len(fits)}")
    assert [finish(fit, cache)[0] for fit in fits] == [expected] * len(fits)


def test_three_kills(tmp_path: Path) -> None:
    """In the climb to the mode, in warm-up, in sampling."""
    killed_and_resumed(tmp_path, [(1, 0.2), (90, 0.003), (150, 0.001)])


@pytest.mark.slow
def test_ten_kills(tmp_path: Path) -> None:
    rng = random.Random(2024)
    moments = [(rng.randint(0, 40), rng.uniform(0.0, 0.02)) for _ in range(10)]
    killed_and_resumed(tmp_path, moments)
