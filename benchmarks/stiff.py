"""A stiff model, value and gradient: our Rosenbrock steps beside diffrax's Kvaerno5.

    python benchmarks/stiff.py [--patients 33] [--repeats 10]

The model is `tests/reference_models/receptor.py` (IL-2 and its receptor alpha). Both go
from node to node of one mesh, which is calibrated for Rosenbrock; Kvaerno5 also from
node to node of a mesh so coarse that it is as accurate. The reference solves from dose
to dose at a tolerance of 1e-10. One process, one thread for linear algebra, float64.
"""

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax.flatten_util import ravel_pytree
from measure import Timing, time_gradient

from imak_pkpd.data import DataBlock
from imak_pkpd.data.read import read_dataset
from imak_pkpd.data.schedule import Schedule, build_schedule
from imak_pkpd.model import AbstractModel, Inputs, parameters
from imak_pkpd.model.load import load_model
from imak_pkpd.solve.calibrate import calibrate
from imak_pkpd.solve.choose import dearer
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing
from imak_pkpd.solve.rodas import Rodas
from imak_pkpd.solve.stepper import (
    OK,
    AbstractStepper,
    Adaptive,
    Crossing,
    Explicit,
    Rosenbrock,
    Step,
)
from imak_pkpd.solve.trajectory import predict

MODEL = Path(__file__).parents[1] / "tests/reference_models/receptor.py"
USUAL = {
    "ka": 0.3, "ke": 0.4, "k12": 0.1, "k21": 0.01, "kon": 50.0, "koff": 1440.0,
    "kint": 1.0, "kdeg": 0.05, "R0": 5.0,
}  # fmt: skip
SPREAD = 0.2  # SD of the logarithm of each parameter between patients
DOSES = {0.0: 10.0, 24.0: 20.0, 48.0: 20.0}  # h, nmol
SAMPLES = (0.5, 2, 6, 12, 23, 24.5, 30, 47, 49, 60, 72, 96)  # h
TOLERANCE = 1e-6  # of a step of our mesh
TIGHT = Adaptive(1e-10, 1e-12, max_steps=20_000, solver=Rodas())
FAST = ("kon", "koff")
STATES = 5
NEWTON = 1e-8  # tolerance of Kvaerno5's equations: far below the error of its steps


class Kvaerno(AbstractStepper):
    """One step of diffrax's Kvaerno5, which starts anew at every node."""

    solver: Any = eqx.field(
        static=True,
        default=diffrax.Kvaerno5(
            root_finder=diffrax.VeryChord(rtol=NEWTON, atol=1e-3 * NEWTON)
        ),
    )
    steps = None

    def __call__(self, crossing: Crossing, t: Any, y: Any, h: Any) -> Step:
        term = diffrax.ODETerm(lambda s, x, _: crossing.field(jnp.asarray(s), x))
        # An empty interval is stepped over a nominal one and thrown away.
        end = jnp.where(h > 0, t + h, t + 1e-6)
        state = self.solver.init(term, t, end, y, None)
        jump = jnp.asarray(True)
        made, error, _, _, _ = self.solver.step(term, t, end, y, None, state, jump)
        return Step(jnp.where(h > 0, made, y), error, OK())


class Case(NamedTuple):
    """The patients as logarithms of their parameters, and their records."""

    kind: type[AbstractModel]
    logarithms: dict[str, jax.Array]
    schedule: Schedule

    @property
    def model(self) -> AbstractModel:
        return self.of(self.logarithms)

    def of(self, logarithms: dict[str, jax.Array]) -> AbstractModel:
        return self.kind(**jax.tree.map(jnp.exp, logarithms))


class Solved(NamedTuple):
    """ln of every sample, and the gradient of the sum of their squares."""

    logarithm: np.ndarray
    gradient: np.ndarray


class Row(NamedTuple):
    """One way to solve the case: largest error of ln c, and of the gradient as a share
    of its largest entry."""

    name: str
    nodes: int
    error: float
    slope_error: float
    timing: Timing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=33)
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    case = receptor(options.patients)
    exact = solved(case, event_mesh(case), TIGHT)
    measure = partial(measured, case, exact, options.repeats)
    before = time.process_time()
    fine = mesh_of(case, TOLERANCE)
    placing = time.process_time() - before
    ours = measure("Rosenbrock", fine, Rosenbrock())
    same = measure("Kvaerno5, same mesh", fine, Kvaerno())
    coarse = coarsest(case, exact, ours.error)
    equal = measure("Kvaerno5, as accurate", coarse, Kvaerno())
    report(case, (ours, same, equal), placing)
    report_step(case, fine, options.repeats)


def receptor(patients: int) -> Case:
    """Patients around the usual values."""
    kind = load_model(MODEL)
    assert issubclass(kind, AbstractModel)
    rng = np.random.default_rng(1)
    logarithms = {
        name: jnp.asarray(np.log(USUAL[name]) + SPREAD * rng.standard_normal(patients))
        for name in parameters(kind)
    }
    return Case(kind, logarithms, records(kind, patients))


def records(kind: type[AbstractModel], patients: int) -> Schedule:
    """Doses and samples of every patient, read as any data file."""
    rows = [(t, 1, amount, ".", 1) for t, amount in DOSES.items()]
    rows += [(t, 0, ".", 1, ".") for t in SAMPLES]
    one = sorted(rows, key=lambda each: each[0])
    lines = [(i + 1, *each) for i in range(patients) for each in one]
    table = pd.DataFrame(lines, columns=["ID", "TIME", "EVID", "AMT", "DV", "CMT"])
    block = DataBlock(file=Path("receptor.csv"), time="h", inputs={1: "drug"})
    with TemporaryDirectory() as folder:
        table.to_csv(Path(folder) / "receptor.csv", index=False)
        dataset = read_dataset(block, Path(folder))
    return build_schedule(dataset, {1: "drug"}, {}, tuple(kind.doses))


def event_mesh(case: Case) -> Mesh:
    return build_mesh(case.schedule, declared_dosing(case.kind))


def mesh_of(case: Case, tolerance: float) -> Mesh:
    """Calibrated for Rosenbrock at these patients."""
    dosing = declared_dosing(case.kind)
    return calibrate([case.model], case.schedule, dosing, tolerance, Rosenbrock())


def coarsest(case: Case, exact: Solved, error: float) -> Mesh:
    """The coarsest mesh on which Kvaerno5 is as accurate, of tolerances by 1.5."""
    tolerance, mesh = TOLERANCE, mesh_of(case, TOLERANCE)
    while True:
        tolerance *= 1.5
        coarser = mesh_of(case, tolerance)
        if errors(solved(case, coarser, Kvaerno()), exact)[0] > error:
            return mesh
        mesh = coarser


def concentrations(
    case: Case, logarithms: dict[str, jax.Array], mesh: Mesh, stepper: AbstractStepper
) -> jax.Array:
    found = predict(case.of(logarithms), case.schedule, mesh, stepper)
    value = found.outputs["concentration"][:, : len(SAMPLES)]
    return jnp.where((found.status == 0)[:, None], jnp.log(value), jnp.nan)


def potential(case: Case, mesh: Mesh, stepper: AbstractStepper) -> Callable[..., Any]:
    """Half the sum of squares of ln c: what a likelihood asks for."""
    return lambda x: 0.5 * jnp.sum(concentrations(case, x, mesh, stepper) ** 2)


def solved(case: Case, mesh: Mesh, stepper: AbstractStepper) -> Solved:
    value = jax.jit(lambda x: concentrations(case, x, mesh, stepper))
    slopes = jax.jit(jax.grad(potential(case, mesh, stepper)))(case.logarithms)
    gradient = np.stack([np.asarray(leaf) for leaf in slopes.values()])
    return Solved(np.asarray(value(case.logarithms)), gradient)


def errors(found: Solved, exact: Solved) -> tuple[float, float]:
    slope = np.abs(found.gradient - exact.gradient).max()
    worst = float(np.abs(found.logarithm - exact.logarithm).max())
    return worst, float(slope / np.abs(exact.gradient).max())


def measured(
    case: Case,
    exact: Solved,
    repeats: int,
    name: str,
    mesh: Mesh,
    stepper: AbstractStepper,
) -> Row:
    error, slope = errors(solved(case, mesh, stepper), exact)
    function = potential(case, mesh, stepper)
    timing = time_gradient(function, case.logarithms, repeats=repeats)
    return Row(name, mesh.nodes, error, slope, timing)


def report(case: Case, rows: tuple[Row, ...], placing: float) -> None:
    print(
        f"a receptor: {case.schedule.subjects} patients, fastest rate "
        f"{eigenvalue_ratio(case):.1e} times the slowest, load {os.getloadavg()[0]:.1f}"
    )
    print("                        nodes  error of ln c  of gradient    CPU ms", end="")
    print("   compile CPU s")
    for name, nodes, error, slope, timing in rows:
        print(
            f"{name:23s} {nodes:5d} {error:14.1e} {slope:12.1e}"
            f" {timing.cpu_ms:9.2f} {timing.compile_cpu_s:15.2f}"
        )
    ours, same, equal = (each.timing.cpu_ms for each in rows)
    print(f"Rosenbrock: {same / ours:.1f} x less CPU on the same mesh,", end=" ")
    print(f"{equal / ours:.1f} x at equal accuracy; its mesh took {placing:.1f} CPU s")


def eigenvalue_ratio(case: Case) -> float:
    """Of the Jacobian of the first patient, before any drug."""
    one = jax.tree.map(lambda leaf: leaf[0], case.model)
    nothing = Inputs({"drug": jnp.zeros(())}, {})
    start, unravel = ravel_pytree(one.initial(nothing))
    field = Crossing(one, lambda t: nothing, unravel).field
    slope = jax.jacfwd(lambda y: field(jnp.zeros(()), y))(start)
    rates = np.abs(np.linalg.eigvals(np.asarray(slope)))
    return float(rates.max() / rates.min())


def report_step(case: Case, mesh: Mesh, repeats: int) -> None:
    """What `choose` weighs: a step against an explicit one, which is not stable here:
    binding is 1e4 times slower for both, which costs the same."""
    slow = {n: x - np.log(1e4) * (n in FAST) for n, x in case.logarithms.items()}
    slowed = case._replace(logarithms=slow)
    explicit, implicit = (
        time_gradient(potential(slowed, mesh, each), slow, repeats=repeats).cpu_ms
        for each in (Explicit(), Rosenbrock())
    )
    print(f"one step costs {implicit / explicit:.1f} explicit ones", end=" ")
    print(f"(the rule of choice takes {dearer(STATES):.1f})")


if __name__ == "__main__":
    main()
