"""imak-5 as a user fits it: `imak fit`, with an empty cache, then with a warm one.

    python benchmarks/whole_fit.py --peers DIR [--warmup 500 --draws 500 --chains 4]

DIR holds the peers' data; see README.md. CPU seconds are those of the whole process:
start of Python, mesh, mode, compilation, sampling, certificate, predictions, report.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
POLL_S = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, required=True)
    for name, usual in (("chains", 4), ("warmup", 500), ("draws", 500), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for cache in ("empty", "warm"):
            report(cache, one_fit(asked, Path(folder), cache))


def one_fit(asked: argparse.Namespace, folder: Path, run: str) -> dict[str, Any]:
    """One run of the command line, with the figures that it writes itself."""
    shutil.copytree(HERE / "imak_5", folder, dirs_exist_ok=True)
    shutil.copy(asked.peers / "data" / "imak_5.csv", folder)
    command = [sys.executable, "-m", "imak_pkpd.cli", "fit", "imak_5.toml"]
    for name in ("chains", "warmup", "draws", "seed"):
        command += [f"--{name}", str(getattr(asked, name))]
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # no user compiles at each start
    begun, cpu = time.monotonic(), children_cpu()
    process = subprocess.Popen(
        [*command, "--out", run],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    first = FirstDraw(folder / run, begun)
    process.wait()
    first.ended.set()
    return {
        "wall_s": time.monotonic() - begun,
        "cpu_s": children_cpu() - cpu,
        "first_draw_s": first.after_s,
        **json.loads((folder / run / "run.json").read_text()),
    }


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class FirstDraw:
    """Seconds until a block of draws lies in the checkpoint of a run."""

    def __init__(self, run: Path, begun: float) -> None:
        self.after_s: float | None = None
        self.ended = threading.Event()
        threading.Thread(target=self._watch, args=(run, begun), daemon=True).start()

    def _watch(self, run: Path, begun: float) -> None:
        while not self.ended.wait(POLL_S):
            if any(run.glob("**/warmup0-*.npz")):
                self.after_s = time.monotonic() - begun
                return


def report(cache: str, found: dict[str, Any]) -> None:
    result, settings = found["result"], found["estimation"]
    draws = settings["chains"] * settings["draws"]
    phases = result["cpu_s"]
    inside = sum(phases.values()) - phases["compile"]
    least = result["ess_bulk_min"]
    print(f"{cache} cache: {result['verdict']}")
    print(f"  wall {found['wall_s']:.1f} s, CPU {found['cpu_s']:.1f} s", end="; ")
    print(f"first draw after {found['first_draw_s'] or float('nan'):.1f} s")
    print(f"  CPU by phase: { {name: round(s, 1) for name, s in phases.items()} }")
    leapfrogs = result["leapfrogs"]
    print(f"  leapfrogs per draw: {leapfrogs['sampling'] / draws:.1f}; {leapfrogs}")
    print(f"  R-hat {result['rhat_max']:.4f}, least bulk ESS {least:.0f}: ", end="")
    print(f"{least / inside:.2f} per CPU second of mode and sampling, ", end="")
    print(f"{least / found['cpu_s']:.2f} of all")
    print(f"  solver error {result['solver_error']:.2g}, ", end="")
    print(f"divergences {result['divergences']}")


if __name__ == "__main__":
    main()
