"""imak-5 patients simulated per CPU second: ours beside diffrax, deSolve and SciPy.

    python benchmarks/simulate.py --peers DIR [--patients 20000]

Patients differ in their seven parameters, as in the peers' programs; each is followed
for 28 days at 16 times with five IL-2 boluses. Ours solves blocks of 250 on steps that
all share, as few as keep the largest error of a logarithm below 1e-3.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

from measure import median_ms  # noqa: E402
from naive import USUAL, peer_module  # noqa: E402
from peers import PeerError, copied, output  # noqa: E402
from problems import IMAK_5  # noqa: E402

from imak_pkpd.fit.meshes import event_mesh  # noqa: E402
from imak_pkpd.fit.problem import Problem, read_problem  # noqa: E402
from imak_pkpd.fit.spec import read_fit  # noqa: E402
from imak_pkpd.solve.calibrate import calibrate  # noqa: E402
from imak_pkpd.solve.mesh import Mesh, declared_dosing  # noqa: E402
from imak_pkpd.solve.shared import with_shared  # noqa: E402
from imak_pkpd.solve.split import Split  # noqa: E402
from imak_pkpd.solve.stepper import AbstractStepper, Adaptive  # noqa: E402
from imak_pkpd.solve.trajectory import predict  # noqa: E402

HERE = Path(__file__).parent
BLOCK = 250  # patients solved together: their states stay in the cache
PILOTS = 4  # blocks that place the steps and on which the error is measured
LIMIT = 1e-3  # of the logarithm of any output
EXACT = 1e-10
TOLERANCES = tuple(10.0 ** -(2 + 0.25 * i) for i in range(20))
ASKED = {"deSolve, C": 350.0, "SciPy odeint": 480.0, "diffrax, vmap": 15.0}

# The typical patient, and the SDs of the logarithms: those of the peers' sim_scipy.py.
TYPICAL = {
    "rho": 3.0, "dlt": 0.5, "kap": 0.25, "pH": 1.0, "rH": 0.6, "kT": 0.8, "gT": 0.08,
}  # fmt: skip
SPREAD = {"rho": 0.2, "kap": 0.3, "pH": 0.4, "kT": 0.5}
TIMES = (0.25, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 14, 21, 28)
CELLS, TUMOUR, IL2 = 100.0, 100.0, 5.0
IL2_DAYS = range(5)

Parameters = dict[str, jax.Array]
"""By name, [block, patient]; of one block [patient]."""
Outputs = jax.Array
"""Logarithms of donor, host and tumour, [..., patient, time, output]."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--patients", type=int, default=20_000)
    parser.add_argument(
        "--slow", type=int, default=1000, help="patients of a slow peer"
    )
    asked = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}\npatients per CPU second:")
    own = ours(asked.patients)
    for name, peer in (
        ("diffrax, vmap", lambda: by_diffrax(asked.peers, asked.patients)),
        ("deSolve, C", lambda: by_desolve(asked.peers, asked.slow)),
        ("SciPy odeint", lambda: by_scipy(asked.peers, asked.slow)),
    ):
        show(name, peer, own)


def show(name: str, peer: Callable[[], float], own: float) -> None:
    """One peer's figure, and how many times faster ours is."""
    try:
        found = peer()
    except PeerError as error:
        print(f"{name:16s} {error}")
        return
    ratio, asked = own / found, ASKED[name]
    verdict = "" if ratio >= asked else "  <- short"
    print(
        f"{name:16s} {found:10.0f}  ours {ratio:.1f} x, asked for {asked:g} x{verdict}"
    )


def ours(patients: int) -> float:
    """Patients per CPU second; the mesh is the coarsest that is accurate enough."""
    problem = one_block()
    some = parameters(PILOTS)
    mesh, error = accurate_mesh(problem, some)
    steps = int((np.diff(np.asarray(mesh.clock)[0]) > 0).sum())
    run = jax.jit(blocks(problem, mesh, Split()))
    found = per_cpu_second(run, parameters(-(-patients // BLOCK)))
    print(f"{'imak_pkpd':16s} {found:10.0f}  {steps} steps, log error {error:.1g}")
    return found


def one_block() -> Problem:
    """A data set of 250 patients who are treated and seen at the same times."""
    head = "ID,TIME,AMT,DV,EVID,CMT,DVID,BLQ,A0,T0,IL2"
    with tempfile.TemporaryDirectory() as folder:
        rows = (row for patient in range(BLOCK) for row in rows_of(patient + 1))
        (Path(folder) / IMAK_5.data).write_text("\n".join([head, *rows]) + "\n")
        for part in (HERE / IMAK_5.name).glob("*.*"):
            (Path(folder) / part.name).write_text(part.read_text())
        return read_problem(read_fit(Path(folder) / f"{IMAK_5.name}.toml"))


def rows_of(patient: int) -> Iterator[str]:
    """Doses, and one row per time: the model gives all outputs there."""
    covariates = f"0,{CELLS},{TUMOUR},{IL2}"
    rows = [(0.0, 0, f"{patient},0,{CELLS},.,1,1,0,{covariates}")]
    rows += [
        (day, 1, f"{patient},{day},{IL2},.,1,5,0,{covariates}") for day in IL2_DAYS
    ]
    # A row's DV is not read: what is simulated is the model's output.
    rows += [(t, -1, f"{patient},{t},0,1,0,2,1,{covariates}") for t in TIMES]
    return (row for _, _, row in sorted(rows))


def parameters(count: int) -> Parameters:
    """So many blocks of patients."""
    rng = np.random.default_rng(1)
    return {
        name: jnp.asarray(
            value * np.exp(SPREAD.get(name, 0.0) * rng.standard_normal((count, BLOCK)))
        )
        for name, value in TYPICAL.items()
    }


def accurate_mesh(problem: Problem, some: Parameters) -> tuple[Mesh, float]:
    """The mesh of the loosest tolerance that keeps the error, and its error."""
    exact = jax.jit(blocks(problem, event_mesh(problem), Adaptive(EXACT, EXACT)))(some)
    pilots = [
        problem.model(**{n: v[i] for n, v in some.items()}) for i in range(PILOTS)
    ]
    dosing = declared_dosing(problem.model)
    for tolerance in TOLERANCES:
        mesh = calibrate(pilots, problem.schedule, dosing, tolerance, Split(), 1.0)
        found = jax.jit(blocks(problem, mesh, Split()))(some)
        error = float(jnp.max(jnp.abs(found - exact)))
        if error <= LIMIT:
            break
    return mesh, error


def blocks(
    problem: Problem, mesh: Mesh | None, stepper: AbstractStepper
) -> Callable[[Parameters], Outputs]:
    """A function of the parameters that solves block after block."""
    assert mesh is not None
    schedule, grid = with_shared(problem.schedule, mesh)

    def block(own: Parameters) -> Outputs:
        made: Any = problem.model(**own)
        outputs = predict(made, schedule, grid, stepper).outputs
        return jnp.log(jnp.stack(list(outputs.values()), -1))

    return lambda every: jax.lax.map(block, every)


def per_cpu_second(run: Callable[[Parameters], Any], every: Parameters) -> float:
    """Patients per CPU second, the median of five runs."""
    patients = next(iter(every.values())).size
    return 1e3 * patients / median_ms(lambda: run(every), 1)[0]


def by_diffrax(peers: Path, patients: int) -> float:
    """`vmap(diffeqsolve)`, as the peers solve imak-5, block after block."""
    import diffrax

    models, times = peer_module(peers), jnp.asarray(TIMES, float)
    solver, adjoint = diffrax.Tsit5(), diffrax.DirectAdjoint()

    def one(own: Parameters) -> jax.Array:
        th = tuple(own[name] for name in TYPICAL)
        start = (jnp.asarray(CELLS), jnp.asarray(TUMOUR), jnp.asarray(IL2))
        return models.b2_solve(th, *start, times, solver, adjoint, USUAL, USUAL)[0]

    run = jax.jit(lambda every: jax.lax.map(jax.vmap(one), every))
    return per_cpu_second(run, parameters(max(patients // (10 * BLOCK), 1)))


def by_desolve(peers: Path, patients: int) -> float:
    """deSolve's lsoda with a right-hand side in C."""
    with copied(peers) as folder:
        said = output(["Rscript", "desolve/sim.R", str(patients)], folder)
    return figure(said, "compiled C")


def by_scipy(peers: Path, patients: int) -> float:
    """SciPy's odeint (LSODA) with a right-hand side in Python."""
    with copied(peers) as folder:
        said = output([sys.executable, "sim_scipy.py", str(patients)], folder)
    return figure(said, "odeint")


def figure(said: str, peer: str) -> float:
    """Patients per CPU second of the line of JSON about a peer."""
    found = [json.loads(line) for line in said.splitlines() if peer in line]
    if not found:
        raise PeerError(f"failed (it says nothing about {peer})")
    return float(found[-1]["per_cpu_s"])


if __name__ == "__main__":
    main()
