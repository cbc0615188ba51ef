"""Peers that are no JAX programs: Stan, its interpreter, C and R, in a copy of theirs.

What is not installed or fails is said so. Stan and stanli live in a Python of their
own, whose path is given by `--peer-python`.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from problems import BenchProblem
from start import StartValues, start_values, without_effects

HERE = Path(__file__).parent
BATCHES = 5  # the median of so many is what is said
FLOOR_REPEATS = 200
COMPILER = ("gcc", "-O3", "-march=native", "-ffast-math")
ABSENT = ("No module named 'stan", "No module named 'scipy", "no package called")

Row = dict[str, Any]


@contextmanager
def copied(peers: Path) -> Iterator[Path]:
    """A copy of the peers' folder, in which their programs may write."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "peers"
        shutil.copytree(peers, copy)
        yield copy


def missing(why: str) -> Row:
    """The row of a peer that cannot be run."""
    return {"missing": why}


def output(command: Sequence[str], folder: Path) -> str:
    """What a program prints; a `PeerError` with its last words where it fails."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True
        )
    except FileNotFoundError as none:
        raise PeerError(f"not installed ({none.filename})") from none
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        absent = any(sign in said for sign in ABSENT)
        raise PeerError(f"{'not installed' if absent else 'failed'} ({said})")
    return done.stdout


class PeerError(RuntimeError):
    """A peer that is not installed, or that fails."""


def stan(peers: Path, problem: BenchProblem, python: str) -> Row:
    """Stan's ode_rk45 through pystan: compiled C++."""
    program = ("bench_stan.py", "points.json", problem.peer, "--grad-only")
    return _stan_row(peers, problem, python, program)


def stanli(peers: Path, problem: BenchProblem, python: str) -> Row:
    """The same Stan program, interpreted."""
    program = ("bench_stanli.py", "points.json", problem.peer, "rk45")
    return _stan_row(peers, problem, python, program)


def _stan_row(
    peers: Path, problem: BenchProblem, python: str, program: Sequence[str]
) -> Row:
    start = start_values(problem)
    points = [_vector(each) for each in (start, without_effects(start))]
    with copied(peers) as folder:
        (folder / "points.json").write_text(json.dumps(points))
        command = [python, str(HERE / "stan_row.py"), *program]
        try:
            return json.loads(output(command, folder).splitlines()[-1])
        except PeerError as error:
            return missing(str(error))


def _vector(start: StartValues) -> list[float]:
    """A point as Stan's unconstrained vector: matrices by columns, SDs by logs."""
    typical = np.array(list(start.typical.values()))
    omega = np.full(len(start.z), np.log(start.omega))
    residual = np.log(np.array(list(start.residual.values())))
    parts = (typical, omega, residual, *map(np.asarray, start.z.values()))
    return np.concatenate(parts).tolist()


def c_floor(peers: Path, steps: int) -> Row:
    """Hand-written C: so many steps of imak-5 with 7 tangents, without a likelihood."""
    with copied(peers) as folder:
        try:
            output([*COMPILER, "cfloor.c", "-o", "cfloor", "-lm"], folder)
            runs = [_floor_ms(folder, steps) for _ in range(BATCHES)]
        except PeerError as error:
            return missing(str(error))
    return {"cpu_ms": median(runs), "steps": steps}


def _floor_ms(folder: Path, steps: int) -> float:
    said = output(["./cfloor", str(steps), str(FLOOR_REPEATS)], folder)
    found = re.search(r"([\d.]+) ms", said)
    if not found:
        raise PeerError(f"failed (it says {said!r})")
    return float(found[1])
