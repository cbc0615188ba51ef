"""One value-and-gradient of the peers' three problems: ours beside each peer.

    python benchmarks/gradient.py --peers DIR [--problem imak_5] [--repeats 25]
        [--peer-python PYTHON] [--rows ours,naive]

DIR holds the peers' programs and their data, PYTHON has pystan and stanli; see
README.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from problems import PROBLEMS

Row = dict[str, Any]


ROWS = {
    "theo": ("ours", "closed", "naive", "narrow", "stanli", "stan"),
    "imak_5": ("ours", "naive", "narrow", "segments", "stan", "stanli", "c_floor"),
    "friberg": ("ours", "naive", "narrow", "segments", "stan"),
}
"""After `mesh`, which is made first."""

ASKED = {
    "theo": {"stanli": 10.0},
    "imak_5": {"naive": 8.0, "segments": 5.0, "stan": 45.0, "c_floor": 0.5},
    "friberg": {"naive": 8.0, "stan": 40.0},
}
"""How many times our CPU time a row must cost at the least."""

COMPILE_S = 5.0  # CPU seconds that the gradient of imak-5 may take to compile

WORDS = {
    "ours": "imak_pkpd",
    "closed": "imak_pkpd, closed form",
    "naive": "NumPyro + diffrax, as usual",
    "segments": "diffrax, scan over segments",
    "stan": "Stan ode_rk45 (pystan)",
    "stanli": "Stan ode_rk45 (stanli)",
    "c_floor": "C floor, no likelihood",
}


def main() -> None:
    options = arguments()
    if options.row:
        print(json.dumps(one_row(options)))
        return
    for name in [options.problem] if options.problem else PROBLEMS:
        options.problem = name
        with tempfile.TemporaryDirectory() as folder:
            options.mesh = Path(folder) / "mesh.npz"
            report(name, rows_of(options))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--peer-python", default="python3", help="has pystan, stanli")
    parser.add_argument("--problem", choices=tuple(PROBLEMS))
    parser.add_argument("--repeats", type=int, default=25, help="of a batch, of five")
    parser.add_argument("--rows", default="", help="some of them, as ours,naive")
    parser.add_argument("--row", help="one row, as JSON, in this process")
    parser.add_argument("--mesh", type=Path, help="the file of the mesh (with --row)")
    parser.add_argument("--number", type=float, help="what a row needs (with --row)")
    return parser.parse_args()


def rows_of(options: argparse.Namespace) -> dict[str, Row]:
    """The rows by name, in their order; the mesh and ours before those beside it."""
    asked = options.rows.split(",") if options.rows else ROWS[options.problem]
    found = {"mesh": child("mesh", options)}
    for row in asked:
        number = found["mesh"]["nodes" if row == "c_floor" else "error"]
        found[row] = child(row, options, number)
    return found


def child(row: str, options: argparse.Namespace, number: float = 0.0) -> Row:
    """One row, measured in a process of its own with an empty compilation cache."""
    environment = dict(os.environ) | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    command = [sys.executable, __file__, "--row", row, "--number", str(number)]
    for key in ("peers", "peer_python", "problem", "repeats", "mesh"):
        command += [f"--{key.replace('_', '-')}", str(getattr(options, key))]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def one_row(options: argparse.Namespace) -> Row:
    if options.row != "mesh":
        # one core, as a chain has: a second one that waits for work costs CPU time
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    import jax

    jax.config.update("jax_enable_x64", True)
    problem, peers, file = PROBLEMS[options.problem], options.peers, options.mesh
    match options.row:
        case "mesh":
            from ours import place_mesh

            return place_mesh(peers, problem, file)
        case "ours" | "closed" as row:
            from ours import ours

            method = "closed" if row == "closed" else ""
            return ours(peers, problem, file, options.repeats, method)
        case "segments":
            from segments import segments

            return segments(peers, problem, file, options.number, options.repeats)
        case "naive":
            from naive import naive

            return naive(peers, problem, options.repeats)
        case "narrow":
            from naive import narrow

            return narrow(peers, problem)
        case _:
            return other_row(options)


def other_row(options: argparse.Namespace) -> Row:
    """A row that JAX has no part in."""
    import peers

    problem = PROBLEMS[options.problem]
    match options.row:
        case "stan":
            return peers.stan(options.peers, problem, options.peer_python)
        case "stanli":
            return peers.stanli(options.peers, problem, options.peer_python)
        case "c_floor":
            return peers.c_floor(options.peers, int(options.number))
        case _:
            raise ValueError(f"no row is called {options.row!r}: {', '.join(WORDS)}")


def report(name: str, found: dict[str, Row]) -> None:
    mesh = found["mesh"]
    print(f"\n{PROBLEMS[name].title}; load {os.getloadavg()[0]:.1f}")
    print(
        f"mesh: {mesh['nodes']} nodes ({mesh['steps']:.0f} steps of a subject), "
        f"log-posterior error {mesh['error']:.2g} (99th percentile over 200 draws, "
        f"against the adaptive reference), {mesh['cpu_s']:.0f} CPU s to make"
    )
    print("                             CPU ms  in a loop   wall ms  compile s    rise")
    for row, words in WORDS.items():
        if row in found:
            print(f"{words:28s}" + line(found[row]))
    agreement(found)
    ratios(name, found)
    share(found)


def line(row: Row) -> str:
    if "missing" in row:
        return f" {row['missing']}"
    parts = ("cpu_ms", 7, 3), ("loop_cpu_ms", 10, 3), ("wall_ms", 9, 3)
    parts += ("compile_cpu_s", 10, 1), ("rise", 11, 5)
    return " ".join(
        f"{row[key]:{width}.{digits}f}" if key in row else f"{'-':>{width}s}"
        for key, width, digits in parts
    )


def agreement(found: dict[str, Row]) -> None:
    """Whether the programs speak of one posterior: its value and its rise."""
    narrow, ours = found.get("narrow"), found.get("ours")
    if narrow and ours:
        print(
            f"minus log posterior at the common point: ours {ours['value']:.4f}, peer "
            f"{narrow['value']:.4f} to 1e-9, doses as narrow pulses; rise from where "
            f"no random effect is: {ours['rise']:.5f}, {narrow['rise']:.5f}"
        )
    if "tolerance" in (segments := found.get("segments", {})):
        print(
            f"segments: tolerance {segments['tolerance']:.2g}, where its error is "
            f"{segments['error']:.2g} on 50 of the draws"
        )


def ratios(name: str, found: dict[str, Row]) -> None:
    """What every row costs, in ours, beside what is asked for."""
    for ours in (row for row in ("ours", "closed") if row in found):
        own = found[ours]
        for row, at_least in ASKED[name].items():
            if "cpu_ms" not in found.get(row, {}):
                print(f"{WORDS[row]}: not measured, asked for {at_least:g} x")
                continue
            key = "loop_cpu_ms" if name == "theo" else "cpu_ms"
            ratio = found[row]["cpu_ms"] / own[key]
            verdict = "" if ratio >= at_least else "  <- short"
            print(f"{WORDS[row]} / {WORDS[ours]}: {ratio:.1f} x", end="")
            print(f", asked for {at_least:g} x{verdict}")
    if name == "imak_5" and "ours" in found:
        spent = found["ours"]["compile_cpu_s"]
        verdict = "" if spent <= COMPILE_S else "  <- short"
        print(f"compile: {spent:.1f} CPU s, at most {COMPILE_S:g}{verdict}")


def share(found: dict[str, Row]) -> None:
    """Flops of one gradient, and the share of the measured peak of a core."""
    ours = found.get("ours")
    if ours:
        reached = ours["flops"] / (1e-3 * ours["loop_cpu_ms"])
        print(
            f"flops per gradient: {ours['flops']:.3g}, {reached / 1e9:.2f} GF/s per "
            f"CPU second, {reached / ours['peak']:.1%} of the {ours['peak'] / 1e9:.0f}"
            " GF/s of a matrix product"
        )


if __name__ == "__main__":
    main()
