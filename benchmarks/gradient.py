"""One value-and-gradient of imak-5: ours beside NumPyro + diffrax, in one run.

    python benchmarks/gradient.py --peers DIR [--repeats 25]

DIR holds the peers' programs and their data; see README.md.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROWS = ("naive", "ours")


def main() -> None:
    options = arguments()
    if options.row:
        print(json.dumps(one_row(options)))
    else:
        table([{"row": row, **child(row, options)} for row in ROWS])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--row", choices=ROWS, help="one row, as JSON, in this process")
    return parser.parse_args()


def child(row: str, options: argparse.Namespace) -> dict[str, float]:
    """One row, measured in a process of its own with an empty compilation cache."""
    environment = dict(os.environ) | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    command = [sys.executable, __file__, "--row", row, "--peers", str(options.peers)]
    command += ["--repeats", str(options.repeats)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def one_row(options: argparse.Namespace) -> dict[str, float]:
    import jax

    jax.config.update("jax_enable_x64", True)
    if options.row == "naive":
        from naive import naive

        return vars(naive(options.peers, options.repeats)) | {"error": float("nan")}
    from ours import ours

    return ours(options.peers, options.repeats)


def table(rows: list[dict]) -> None:
    print("imak-5         CPU ms   wall ms   compile CPU s   log-posterior error")
    for r in rows:
        print(
            f"{r['row']:10s} {r['cpu_ms']:10.2f} {r['wall_ms']:9.2f}"
            f" {r['compile_cpu_s']:15.1f} {r['error']:21.2g}"
        )
    peer, mine = rows
    print(f"gradient: {peer['cpu_ms'] / mine['cpu_ms']:.1f} x less CPU;", end=" ")
    print(f"compile: {peer['compile_cpu_s'] / mine['compile_cpu_s']:.1f} x less CPU")


if __name__ == "__main__":
    main()
