"""One value-and-gradient of imak-5: ours beside NumPyro + diffrax, in one run.

    python benchmarks/gradient.py --peers DIR [--repeats 25]

DIR holds the peers' programs and their data; see README.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROWS = ("mesh", "naive", "ours")
Row = dict[str, Any]


def main() -> None:
    options = arguments()
    if options.row:
        print(json.dumps(one_row(options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        options.mesh = Path(folder) / "mesh.npz"
        mesh, naive, ours = (child(row, options) for row in ROWS)
    table(naive, ours, mesh)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--row", choices=ROWS, help="one row, as JSON, in this process")
    parser.add_argument("--mesh", type=Path, help="the file of the mesh (with --row)")
    return parser.parse_args()


def child(row: str, options: argparse.Namespace) -> Row:
    """One row, measured in a process of its own with an empty compilation cache."""
    environment = dict(os.environ) | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    command = [sys.executable, __file__, "--row", row, "--peers", str(options.peers)]
    command += ["--repeats", str(options.repeats), "--mesh", str(options.mesh)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def one_row(options: argparse.Namespace) -> Row:
    import jax

    jax.config.update("jax_enable_x64", True)
    match options.row:
        case "naive":
            from naive import naive, narrow_value

            timing = naive(options.peers, options.repeats)._asdict()
            return timing | {"narrow": narrow_value(options.peers)}
        case "ours":
            from ours import ours

            return ours(options.peers, options.mesh, options.repeats)._asdict()
        case _:
            from ours import place_mesh

            return place_mesh(options.peers, options.mesh)


def table(naive: Row, ours: Row, mesh: Row) -> None:
    print(f"imak-5, {ours['dimensions']} dimensions, load {os.getloadavg()[0]:.1f}")
    print("                          CPU ms   wall ms   compile CPU s")
    for name, row in (("NumPyro + diffrax, naive", naive), ("imak_pkpd", ours)):
        print(
            f"{name:24s} {row['cpu_ms']:8.2f} {row['wall_ms']:9.2f}"
            f" {row['compile_cpu_s']:15.2f}"
        )
    print(
        f"ours: {naive['cpu_ms'] / ours['cpu_ms']:.1f} x less CPU per gradient,",
        end=" ",
    )
    print(f"{naive['compile_cpu_s'] / ours['compile_cpu_s']:.1f} x less to compile")
    print(
        f"ours: {mesh['nodes']} mesh points, log-posterior error {mesh['error']:.2g} "
        "(99th percentile over 200 draws, against the adaptive reference)"
    )
    print(
        f"minus log posterior at the common point: ours {ours['value']:.4f}, peer "
        f"{naive['narrow']:.4f} with doses as narrow pulses ({naive['value']:.4f} with "
        "its own)"
    )


if __name__ == "__main__":
    main()
