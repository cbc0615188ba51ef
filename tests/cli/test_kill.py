"""`imak fit` killed with SIGKILL at ten random moments; `imak resume` finishes it."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

FIT = """
problem = "Theophylline on the mesh, killed"
based_on = "{root}/fits/001-theophylline.toml"

[solver]
method = "mesh"

[estimation]
chains = 2
warmup = 150
draws = 150
"""
KILLS = 10
PATIENCE = 900.0  # seconds for one whole fit on a busy machine


def start(words: list[str], cwd: Path, cache: Path) -> subprocess.Popen:
    environment = dict(os.environ) | {"XDG_CACHE_HOME": str(cache)}
    command = [sys.executable, "-m", "imak_pkpd.cli", *words]
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL
    )


def begin_or_resume(run: Path, cwd: Path, cache: Path) -> subprocess.Popen:
    """A new fit, or the next part of one that has begun."""
    fresh = ["fit", "k.toml", "--out", str(run)]
    return start(["resume", str(run)] if run.exists() else fresh, cwd, cache)


def finished(run: Path) -> bool:
    record = run / "run.json"
    return record.exists() and json.loads(record.read_text())["status"] == "finished"


def whole(run: Path, cwd: Path, cache: Path) -> float:
    """Runs to the end (0, or 3 for so few draws); seconds until the record says so."""
    begun = time.monotonic()
    assert begin_or_resume(run, cwd, cache).wait(PATIENCE) in (0, 3)
    return time.monotonic() - begun


def draws_of(run: Path) -> str:
    from imak_pkpd.fit.tree import read_tree

    effort = read_tree(run / "posterior.nc").attrs["effort"]
    return json.loads(effort)["draws_sha256"]


@pytest.mark.slow
def test_ten_kills(tmp_path: Path, root: Path) -> None:
    """Equal to the bit; moments are spread over a warm run, its first second too."""
    (tmp_path / "k.toml").write_text(FIT.format(root=root))
    cache = tmp_path / "cache"
    whole(tmp_path / "first", tmp_path, cache)  # fills the compilation cache
    seconds = whole(tmp_path / "straight", tmp_path, cache)
    expected, rng, kills = draws_of(tmp_path / "straight"), random.Random(7), 0
    for attempt in range(KILLS):
        run = tmp_path / f"killed{attempt // 2}"  # two kills of each of five fits
        part = begin_or_resume(run, tmp_path, cache)
        time.sleep(rng.uniform(0.1, 0.9) * seconds)
        part.kill()
        kills += part.wait() == -9
        if attempt % 2:
            if not finished(run):
                whole(run, tmp_path, cache)
            assert draws_of(run) == expected
    assert kills >= KILLS - 2  # a fit may have ended before it could be killed
