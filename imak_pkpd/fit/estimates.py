"""The estimands of a fit at draws of its posterior, patient by patient.

Curves are solved on the mesh of the fit with further nodes spread over each patient's
time, as a curve is known between nodes by a cubic only.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.estimand import AbstractEstimand
from imak_pkpd.fit.meshing import Forms, individual_model
from imak_pkpd.fit.posterior import stepper_of
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.readings import estimates_of
from imak_pkpd.fit.simulate import CHUNK, Sites
from imak_pkpd.fit.tree import Variable
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing
from imak_pkpd.solve.trajectory import solve

NODES = 200  # added to each patient's mesh: the cubic's error falls with its 4th power
DIMS = ("chain", "draw", "subject")


def estimand_group(
    problem: Problem,
    forms: Forms,
    mesh: Mesh | None,
    sites: Sites,
    chains: int,
) -> dict[str, Variable]:
    """Every estimand by draw and subject; `NAME_outcome` says what a crossing became.

    `sites` are draws [chain * draw, ...] of the latent sites. NaN where a patient
    cannot be solved, and where there is no crossing time.
    """
    if mesh is None or not problem.spec.estimand:
        return {}
    fine = _fine_mesh(problem, mesh)
    starts = {
        name: jnp.asarray(_starts(problem, block))
        for name, block in problem.spec.estimand.items()
    }

    def one(values: Mapping[str, Array], there: Schedule, nodes: Mesh) -> dict:
        return _estimates(problem, forms, values, there, nodes, starts)

    run = jax.jit(
        lambda xs, there, nodes: jax.lax.map(
            lambda values: one(values, there, nodes), xs, batch_size=CHUNK
        )
    )
    found = run(dict(sites), problem.schedule, fine)
    return {
        name: Variable(DIMS, np.asarray(value).reshape(chains, -1, value.shape[-1]))
        for name, value in found.items()
    }


def _estimates(
    problem: Problem,
    forms: Forms,
    sites: Mapping[str, Array],
    schedule: Schedule,
    mesh: Mesh,
    starts: Mapping[str, Float[Array, " subject"]],
) -> dict[str, Float[Array, " subject"]]:
    """All estimands of all subjects at one draw."""
    model = individual_model(problem, forms, sites)
    path = solve(model, schedule, mesh, stepper_of(problem.spec, problem.model))
    solved = path.status == 0
    made = {}
    for name, block in problem.spec.estimand.items():
        found = estimates_of(block, model, path, starts[name])
        made[name] = jnp.where(solved, found["value"], jnp.nan)
        if "outcome" in found:
            made[f"{name}_outcome"] = jnp.where(solved, found["outcome"], -1)
    return made


def _fine_mesh(problem: Problem, mesh: Mesh) -> Mesh:
    """The mesh of the fit with `NODES` more nodes in each patient's time.

    Dose records are nodes too, as estimands count from them; their lag moves a dose.
    """
    schedule = problem.schedule
    begin, end = np.asarray(schedule.begin), np.asarray(schedule.end)
    clock, mask = np.asarray(schedule.doses.clock), np.asarray(schedule.doses.mask)
    nodes = np.asarray(mesh.clock)
    extra = [
        np.unique(
            np.concatenate(
                [nodes[i], np.linspace(begin[i], end[i], NODES), clock[i][mask[i]]]
            )
        )
        for i in range(schedule.subjects)
    ]
    dosing = declared_dosing(problem.model)
    return build_mesh(schedule, dosing, extra, mesh.steady_steps)


def _starts(problem: Problem, block: AbstractEstimand) -> Float[np.ndarray, " subject"]:
    """The clock of each patient's last dose record; the first record without one."""
    doses = problem.schedule.doses
    counts = np.asarray(doses.mask & (doses.past == 0))
    if block.dose is not None:
        place = problem.schedule.dose_names.index(block.dose)
        counts = counts & (np.asarray(doses.name) == place)
    clock = np.where(counts, np.asarray(doses.clock), -np.inf).max(1, initial=-np.inf)
    return np.where(np.isfinite(clock), clock, np.asarray(problem.schedule.begin))
