"""Our row: imak-5 as a model file and a fit file, on the mesh that a fit would make.

The mesh is made in another process than the timing, so that nothing is warm.
"""

import math
import shutil
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from measure import Timing, time_gradient
from start import OMEGA, VARYING, start_values

from imak_pkpd.fit.explain import explain_start
from imak_pkpd.fit.meshes import mesh_arrays, mesh_from_arrays
from imak_pkpd.fit.meshing import make_meshes
from imak_pkpd.fit.posterior import effect_forms, population_model
from imak_pkpd.fit.problem import Problem, read_problem
from imak_pkpd.fit.spec import read_fit
from imak_pkpd.fit.target import target

HERE = Path(__file__).parent


def problem(peers: Path) -> Problem:
    """imak-5 with the peers' data, read as any other fit."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(HERE / "imak_5", folder, dirs_exist_ok=True)
        shutil.copy(peers / "data" / "imak_5.csv", folder)
        return read_problem(read_fit(Path(folder) / "imak_5.toml"))


def place_mesh(peers: Path, file: Path) -> dict[str, float]:
    """Writes the mesh; the error of the log posterior on 200 draws near the mode."""
    made = problem(peers)
    forms = effect_forms(made.spec, made.schedule)
    meshed = make_meshes(made, forms, explain_start(made, forms))
    np.savez(file, **mesh_arrays(meshed.meshes.patients))
    return {"error": meshed.certificate.p99, "nodes": meshed.meshes.patients.nodes}


def ours(peers: Path, file: Path, repeats: int) -> Timing:
    """Timing at the peer's point; the value is in the peer's coordinates (z)."""
    made = problem(peers)
    with np.load(file) as arrays:
        mesh = mesh_from_arrays(dict(arrays))
    forms = effect_forms(made.spec, made.schedule)
    args = jax.tree.map(jnp.asarray, (made.schedule, mesh))
    flat = target(population_model(made.spec, made.model, forms), args)
    point = flat.replace(jnp.zeros(flat.size), our_values(), args)
    timing = time_gradient(flat.potential, point, args, repeats=repeats)
    return timing._replace(value=timing.value - constant(made))


def constant(made: Problem) -> float:
    """What our potential has more than the peer's: two changes of variables.

    Its log-normal density is one of ln y, ours of y; it draws z, we draw omega z.
    """
    seen = made.schedule.observations
    measured = np.asarray(seen.mask & (seen.censor == 0))
    of_y = float(np.log(np.asarray(seen.value)[measured]).sum())
    return of_y + made.schedule.patients * len(VARYING) * math.log(OMEGA)


def our_values() -> dict[str, jax.Array]:
    """The peer's point under our names."""
    start = start_values()
    values = {f"theta_{name}": mu for name, mu in start.typical.items()}
    values |= {f"omega_{name}": start.omega for name in VARYING}
    values |= {f"{name}_sigma": start.sigma for name in ("donor", "host", "tumour")}
    etas = {f"eta_{name}": start.omega * z for name, z in start.z.items()}
    return values | etas
