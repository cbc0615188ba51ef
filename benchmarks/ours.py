"""Our rows: a model file and a fit file, on the mesh that a fit would make.

The mesh is made in another process than the timing, so that nothing is warm.
"""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flops import flops_of, peak_flops
from measure import time_gradient
from problems import BenchProblem
from start import OMEGA, StartValues, start_values, without_effects

from imak_pkpd.fit.explain import explain_start
from imak_pkpd.fit.meshes import (
    event_mesh,
    mesh_arrays,
    mesh_from_arrays,
    with_method,
)
from imak_pkpd.fit.meshing import Meshed, laplace_draws, make_meshes
from imak_pkpd.fit.posterior import effect_forms, population_model, unsolved
from imak_pkpd.fit.problem import Problem, read_problem
from imak_pkpd.fit.spec import read_fit
from imak_pkpd.fit.target import Target, constrain_flat, target
from imak_pkpd.solve.mesh import Mesh

HERE = Path(__file__).parent
DRAWS = 50  # near the mode, on which the peers' error is measured


def read(peers: Path, bench: BenchProblem, method: str = "") -> Problem:
    """The problem with the peers' data, read as any other fit; another `method`."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(HERE / bench.name, folder, dirs_exist_ok=True)
        shutil.copy(peers / "data" / bench.data, folder)
        fit = Path(folder) / f"{bench.name}.toml"
        if method:
            fit.write_text(fit.read_text().replace('"mesh"', f'"{method}"'))
        return read_problem(read_fit(fit))


def place_mesh(peers: Path, bench: BenchProblem, file: Path) -> dict[str, Any]:
    """Writes the mesh and some draws; the error of the log posterior on 200 draws."""
    problem = read(peers, bench)
    forms = effect_forms(problem.spec, problem.schedule)
    before = time.process_time()
    meshed = make_meshes(problem, forms, explain_start(problem, forms))
    spent = time.process_time() - before
    mesh, certificate = meshed.meshes.patients, meshed.certificate
    assert mesh is not None
    assert certificate is not None
    made = {"method": meshed.method, **mesh_arrays(mesh)}
    np.savez(file, **made, **peer_draws(problem, meshed, bench))
    steps = np.diff(np.asarray(mesh.clock)) > 0
    return {
        "error": certificate.p99,
        "nodes": mesh.nodes,
        "steps": float(steps.sum(1).mean()),
        "cpu_s": spent,
    }


def peer_draws(
    problem: Problem, meshed: Meshed, bench: BenchProblem
) -> dict[str, np.ndarray]:
    """Draws near the mode, [draw, ...], in the peers' unconstrained coordinates."""
    args = meshed.meshes.arguments(problem)
    made = target(population_model(problem.spec, problem.model, meshed.forms), args)
    seed = problem.spec.estimation.seed
    flat = laplace_draws(made, args, meshed.start, DRAWS, seed)
    sites = constrain_flat(made, args, flat, unsolved)
    omega = np.stack([sites[f"omega_{name}"] for name in bench.varying], -1)
    eta = np.stack([sites[f"eta_{name}"] for name in bench.varying], -1)
    return {
        "draw_mu": np.stack([sites[f"theta_{name}"] for name in bench.medians], -1),
        "draw_om": np.log(omega),
        "draw_z": eta.reshape(DRAWS, -1, len(bench.varying)) / omega[:, None, :],
        "draw_residual": np.log(np.stack([sites[n] for n in bench.residual], -1)),
    }


def ours(
    peers: Path, bench: BenchProblem, file: Path, repeats: int, method: str = ""
) -> dict[str, Any]:
    """Timing at the peers' point; the value is in their coordinates (z).

    With the `method` "closed" no mesh is needed.
    """
    problem = read(peers, bench, method)
    if method == "closed":
        mesh = event_mesh(problem)
    else:
        mesh, chosen = stored_mesh(file)
        problem = with_method(problem, chosen)
    forms = effect_forms(problem.spec, problem.schedule)
    args = jax.tree.map(jnp.asarray, (problem.schedule, mesh))
    flat = target(population_model(problem.spec, problem.model, forms), args)
    start = start_values(bench)
    here, there = (point(flat, each, args) for each in (start, without_effects(start)))
    timing = time_gradient(flat.potential, here, args, repeats=repeats)
    value = timing.value - constant(problem, bench)
    rise = float(flat.evaluate(there, args)[0]) - timing.value
    flops = flops_of(jax.value_and_grad(flat.potential), here, args)
    found = {"value": value, "rise": rise, "flops": flops, "peak": peak_flops()}
    return timing._asdict() | found


def stored_mesh(file: Path) -> tuple[Mesh, str]:
    """The mesh that `place_mesh` wrote, and the method that crosses it."""
    with np.load(file) as arrays:
        kept = {n: v for n, v in arrays.items() if not n.startswith("draw_")}
    method = str(kept.pop("method"))
    return mesh_from_arrays(kept), method


def constant(problem: Problem, bench: BenchProblem) -> float:
    """What our potential has more than the peer's: two changes of variables.

    Its log-normal density is one of ln y, ours of y; it draws z, we draw deviations.
    """
    seen, blocks = problem.schedule.observations, problem.spec.output.values()
    on_logs = np.array([block.error == "lognormal" for block in blocks])
    measured = np.asarray(seen.mask & (seen.censor == 0))
    measured &= on_logs[np.asarray(seen.output)]
    of_y = float(np.log(np.asarray(seen.value)[measured]).sum())
    forms = effect_forms(problem.spec, problem.schedule).values()
    deviations = sum(form == "deviation" for form in forms)
    return of_y + problem.schedule.patients * deviations * float(np.log(OMEGA))


def point(made: Target, start: StartValues, args: tuple) -> jax.Array:
    """A point under our names, as one unconstrained vector."""
    values = {f"theta_{name}": mu for name, mu in start.typical.items()}
    values |= {f"omega_{name}": start.omega for name in start.z}
    values |= dict(start.residual)
    values |= {f"eta_{name}": start.omega * z for name, z in start.z.items()}
    return made.replace(jnp.zeros(made.size), values, args)
