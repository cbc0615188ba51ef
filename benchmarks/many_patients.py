"""imak-5 with a hundred times its patients: cost, memory, and a short fit on two cores.

    python benchmarks/many_patients.py --peers DIR [--copies 100] [--draws 4]

3,300 patients are the 33, each a hundred times under a new ID, on their own steps: what
a patient's solve is worth in accuracy stays the same. The fit is that of the sampler:
two chains from the mode of the 33. Climbing to the mode of all is left out, because its
curvature is a dense matrix of 13,214 dimensions.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from problems import IMAK_5

PARTS = ("mesh", "small", "large", "fit")
RATIO = 110.0  # what a hundred times the patients may cost
BUSY = 1.8  # CPU over wall that two chains should reach

Row = dict[str, Any]


def main() -> None:
    options = arguments()
    if options.part:
        print(json.dumps(part(options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        options.mesh = Path(folder) / "mesh.npz"
        child("mesh", options)
        print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
        gradients(*(child(name, options) for name in ("small", "large")))
        fitted(child("fit", options))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--copies", type=int, default=100)
    parser.add_argument(
        "--draws", type=int, default=4, help="kept, after 20 of warm-up"
    )
    parser.add_argument("--depth", type=int, default=4, help="of a tree, at the most")
    parser.add_argument("--part", choices=PARTS, help="one part, in this process")
    parser.add_argument("--mesh", type=Path, help="the file of the mesh (with --part)")
    return parser.parse_args()


def child(name: str, options: argparse.Namespace) -> Row:
    """One part, measured in a process of its own."""
    command = [sys.executable, __file__, "--part", name]
    for key in ("peers", "copies", "draws", "depth", "mesh"):
        command += [f"--{key}", str(getattr(options, key))]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def part(options: argparse.Namespace) -> Row:
    import jax

    jax.config.update("jax_enable_x64", True)
    match options.part:
        case "mesh":
            return placed(options)
        case "fit":
            return fit(options)
        case name:
            return gradient(options, options.copies if name == "large" else 1)


def placed(options: argparse.Namespace) -> Row:
    """Writes the mesh of the 33 patients, their mode and the widths there."""
    from ours import read

    from imak_pkpd.fit.explain import explain_start
    from imak_pkpd.fit.meshes import mesh_arrays
    from imak_pkpd.fit.meshing import make_meshes
    from imak_pkpd.fit.posterior import effect_forms

    problem = read(options.peers, IMAK_5)
    forms = effect_forms(problem.spec, problem.schedule)
    meshed = make_meshes(problem, forms, explain_start(problem, forms))
    start = meshed.start
    assert start.mode is not None
    widths = np.sqrt(np.sum(np.atleast_2d(start.scale) ** 2, axis=1))
    own = {
        "method": meshed.method,
        "draw_mode": start.mode.position,
        "draw_width": widths,
    }
    np.savez(options.mesh, **mesh_arrays(meshed.meshes.patients), **own)
    return {}


def copied_problem(options: argparse.Namespace, copies: int) -> tuple[Any, Any]:
    """The target of so many copies of the patients, and its arguments."""
    import jax
    import jax.numpy as jnp
    from ours import read, stored_mesh

    from imak_pkpd.fit.meshes import with_method
    from imak_pkpd.fit.posterior import effect_forms, population_model
    from imak_pkpd.fit.target import target

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data").mkdir()
        several(options.peers, copies).to_csv(
            Path(folder) / "data" / IMAK_5.data, index=False
        )
        problem = read(Path(folder), IMAK_5)
    one, method = stored_mesh(options.mesh)
    problem = with_method(problem, method)
    mesh = jax.tree.map(lambda rows: np.tile(rows, (copies, 1)), one)
    args = jax.tree.map(jnp.asarray, (problem.schedule, mesh))
    forms = effect_forms(problem.spec, problem.schedule)
    return target(population_model(problem.spec, problem.model, forms), args), args


def several(peers: Path, copies: int) -> pd.DataFrame:
    """The patients so many times, each time under other IDs."""
    once = pd.read_csv(peers / "data" / IMAK_5.data, dtype=str)
    number = once["ID"].astype(int)
    return pd.concat(
        [once.assign(ID=number + IMAK_5.subjects * copy) for copy in range(copies)]
    )


def start_of(options: argparse.Namespace, made: Any, copies: int) -> tuple[Any, Any]:
    """The mode of the 33 and its widths, in the coordinates of all copies.

    An effect of a patient is as wide as before, what patients share ten times narrower.
    """
    small, _ = copied_problem(options, 1)
    with np.load(options.mesh) as arrays:
        mode, width = arrays["draw_mode"], arrays["draw_width"]
    position, scale = np.zeros(made.size), np.ones(made.size)
    for name, place in made.sites.items():
        own = small.sites[name]
        times, share = (copies, 1.0) if name.startswith("eta_") else (1, copies)
        position[place] = np.tile(mode[own], times)
        scale[place] = np.tile(width[own], times) / np.sqrt(share)
    return position, scale


def gradient(options: argparse.Namespace, copies: int) -> Row:
    """CPU time and memory of one value-and-gradient."""
    import jax
    from measure import median_ms

    made, args = copied_problem(options, copies)
    position, _ = start_of(options, made, copies)
    program = (
        jax.jit(jax.value_and_grad(made.potential)).lower(position, args).compile()
    )
    cpu, wall = median_ms(lambda: program(position, args), max(100 // copies, 1))
    memory = program.memory_analysis()
    return {
        "patients": IMAK_5.subjects * copies,
        "dimensions": made.size,
        "cpu_ms": cpu,
        "wall_ms": wall,
        "temporary_mb": memory.temp_size_in_bytes / 2**20,
        "peak_mb": peak_mb(),
        "value": float(program(position, args)[0]),
    }


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fit(options: argparse.Namespace) -> Row:
    """Two chains of all patients, in threads; time that compiling took is left out."""
    from imak_pkpd.fit.bend import straight
    from imak_pkpd.fit.estimation import EstimationBlock
    from imak_pkpd.fit.sample import sample
    from imak_pkpd.fit.start import Start

    made, args = copied_problem(options, options.copies)
    position, scale = start_of(options, made, options.copies)
    rng = np.random.default_rng(1)
    noise = 0.1 * rng.standard_normal((2, made.size))  # near the mode: a short warm-up
    start = Start(position + scale * noise, scale, straight(made.size), ())
    asked = EstimationBlock(
        chains=2, warmup=20, draws=options.draws, max_tree_depth=options.depth
    )
    clock = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        drawn = sample(
            made, args, asked, Path(folder), {}, progress=clock, start=start, cores=2
        )
    wall, cpu = clock.since_compiled()
    return {
        "draws": 2 * (20 + options.draws),
        "leapfrogs": sum(drawn.leapfrogs.values()),
        "wall_s": wall,
        "cpu_s": cpu,
        "finite": bool(np.isfinite(drawn.statistics["lp"]).all()),
        "divergences": int(drawn.statistics["diverging"].sum()),
        "peak_mb": peak_mb(),
    }


class Stopwatch:
    """Progress that says nothing; wall and CPU seconds since chains began to move."""

    def __init__(self) -> None:
        self.begun: tuple[float, float] | None = None

    def stage(self, text: str) -> None:
        if text == "warmup" and self.begun is None:
            self.begun = time.perf_counter(), time.process_time()

    def chain(self, report: object) -> None:
        pass

    def since_compiled(self) -> tuple[float, float]:
        assert self.begun is not None
        wall, cpu = self.begun
        return time.perf_counter() - wall, time.process_time() - cpu


def gradients(small: Row, large: Row) -> None:
    for row in (small, large):
        print(
            f"{row['patients']} patients, {row['dimensions']} dimensions: gradient "
            f"{row['cpu_ms']:.2f} ms of CPU, {row['wall_ms']:.2f} ms wall; temporary "
            f"arrays {row['temporary_mb']:.0f} MiB, peak of the process "
            f"{row['peak_mb']:.0f} MiB; minus log posterior {row['value']:.3f}"
        )
    ratio = large["cpu_ms"] / small["cpu_ms"]
    verdict = "" if ratio <= RATIO else "  <- short"
    print(f"cost of a gradient: {ratio:.0f} x, at most {RATIO:g} x{verdict}")


def fitted(row: Row) -> None:
    busy = row["cpu_s"] / row["wall_s"]
    verdict = "" if busy >= BUSY else "  <- short"
    print(
        f"fit: two chains, {row['draws']} draws in all, {row['leapfrogs']} leapfrogs, "
        f"finite: {row['finite']}, divergences {row['divergences']}; "
        f"{1e3 * row['cpu_s'] / row['leapfrogs']:.0f} ms of CPU per leapfrog, peak "
        f"{row['peak_mb']:.0f} MiB"
    )
    print(
        f"CPU {row['cpu_s']:.1f} s in {row['wall_s']:.1f} s wall: {busy:.2f}, at least "
        f"{BUSY:g}{verdict}"
    )


if __name__ == "__main__":
    main()
