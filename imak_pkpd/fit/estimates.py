"""The estimands of a fit at draws of its posterior, patient by patient.

Curves are solved on the mesh of the fit with further nodes spread over each patient's
time, as a curve is known between nodes by a cubic only, and on beyond the last record
where an estimand looks further.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpyro.handlers import seed, substitute

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.estimand import AbstractEstimand
from imak_pkpd.fit.curves import observed_at
from imak_pkpd.fit.meshes import needs_mesh
from imak_pkpd.fit.meshing import PILOTS, Forms, individual_models
from imak_pkpd.fit.posterior import stepper_of
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.readings import Windows as Spans, readings_of
from imak_pkpd.fit.simulate import CHUNK, Sites
from imak_pkpd.fit.sites import sample_sites
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.tree import Variable
from imak_pkpd.model import AnyModel
from imak_pkpd.population.omega import Form
from imak_pkpd.solve.calibrate import calibrate
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing
from imak_pkpd.solve.together import map_together
from imak_pkpd.solve.trajectory import solve

Windows = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Start and end by estimand, each by subject."""

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
    windows = _windows(problem, mesh)
    there, fine = _followed(problem, forms, mesh, sites, windows)
    run = _program(problem.spec, problem.model, tuple(forms.items()))
    found = run(dict(sites), *jax.tree.map(jnp.asarray, (there, fine, windows)))
    return {
        name: Variable(DIMS, np.asarray(value).reshape(chains, -1, value.shape[-1]))
        for name, value in found.items()
    }


@lru_cache(maxsize=4)
def _program(
    spec: FitSpec, model: type[AnyModel], forms: tuple[tuple[str, Form], ...]
) -> Callable[..., dict[str, Array]]:
    """All estimands of all subjects by draw, of (sites, schedule, mesh, windows)."""

    def one(
        values: Mapping[str, Array], schedule: Schedule, mesh: Mesh, spans: Spans
    ) -> dict[str, Float[Array, " subject"]]:
        sites = seed(substitute(sample_sites, dict(values)), jax.random.key(0))
        individuals, _ = sites(spec, model, dict(forms), schedule)
        own: Any = model(**individuals)
        path = solve(own, schedule, mesh, stepper_of(spec, model))
        return readings_of(spec.estimand, own, path, spans).estimands

    def many(sites: Mapping[str, Array], *args: Any) -> dict[str, Array]:
        run = lambda values: one(values, *args)  # noqa: E731
        return map_together(run, dict(sites), CHUNK)

    return jax.jit(many)


def _windows(problem: Problem, mesh: Mesh) -> Windows:
    """Start and end of each estimand in each patient, by the clock."""
    last = _last(problem, mesh)
    found = {}
    for name, block in problem.spec.estimand.items():
        start = _starts(problem, block)
        found[name] = start, _end(block, start, last)
    return found


def _end(block: AbstractEstimand, start: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Its own, or the last record; for a single time never before that."""
    if block.window is not None:
        return start + block.window
    return last if block.reach is None else np.maximum(last, start + block.reach)


def _last(problem: Problem, mesh: Mesh) -> Float[np.ndarray, " subject"]:
    """Where each patient's records end: doses that ADDL adds are records."""
    schedule = problem.schedule
    clock, mask = np.asarray(schedule.doses.clock), np.asarray(schedule.doses.mask)
    doses = np.where(mask, clock, -np.inf).max(1, initial=-np.inf)
    ends = np.asarray(schedule.end), np.asarray(mesh.clock).max(1), doses
    return np.max(np.stack(ends), axis=0)


def _followed(
    problem: Problem, forms: Forms, mesh: Mesh, sites: Sites, windows: Windows
) -> tuple[Schedule, Mesh]:
    """Schedule and nodes up to the furthest window; those of the likelihood stay.

    After the last record nothing is given and covariates stay as they are. The steps
    there are placed at draws of the posterior, as the likelihood has none.
    """
    last = _last(problem, mesh)
    furthest = np.max(np.stack([last, *(end for _, end in windows.values())]), axis=0)
    nodes = [np.asarray(row) for row in mesh.clock]
    schedule, dosing = problem.schedule, declared_dosing(problem.model)
    if (furthest > last).any():
        schedule = observed_at(schedule, np.stack([last, furthest], 1))
        schedule = eqx.tree_at(lambda s: s.end, schedule, furthest)
        if needs_mesh(problem):
            further = calibrate(
                individual_models(problem, forms, sites, _some(sites)),
                schedule,
                dosing,
                problem.spec.solver.tolerance,
                stepper_of(problem.spec, problem.model),
            )
            nodes = [
                np.union1d(*rows) for rows in zip(nodes, further.clock, strict=True)
            ]
    extra = [
        np.unique(np.concatenate([row, *_spread(problem.schedule, i, last, furthest)]))
        for i, row in enumerate(nodes)
    ]
    return schedule, build_mesh(schedule, dosing, extra, mesh.steady_steps)


def _spread(
    schedule: Schedule,
    subject: int,
    last: Float[np.ndarray, " subject"],
    furthest: Float[np.ndarray, " subject"],
) -> list[np.ndarray]:
    """`NODES` times up to the last record, doses, and as many times beyond it.

    Dose records are nodes as estimands count from them; their lag moves a dose. Beyond
    the records curves flatten: half of the times are near them.
    """
    begin, end = float(schedule.begin[subject]), float(schedule.end[subject])
    given = np.asarray(schedule.doses.clock[subject])[schedule.doses.mask[subject]]
    found = [np.linspace(begin, end, NODES), given]
    ahead = furthest[subject] - last[subject]
    if ahead > 0:
        even = np.linspace(0.0, 1.0, NODES // 2)
        dense = np.geomspace(1e-3, 1.0, NODES // 2)
        found.append(last[subject] + ahead * np.union1d(even, dense))
    return found


def _some(sites: Sites) -> Int[np.ndarray, " some"]:
    """Places of draws spread over those that there are."""
    draws = len(next(iter(sites.values())))
    return np.unique(np.linspace(0, draws - 1, PILOTS).astype(int))


def _starts(problem: Problem, block: AbstractEstimand) -> Float[np.ndarray, " subject"]:
    """The clock of each patient's last dose record; the first record without one."""
    doses = problem.schedule.doses
    counts = np.asarray(doses.mask & (doses.past == 0))
    if block.dose is not None:
        place = problem.schedule.dose_names.index(block.dose)
        counts = counts & (np.asarray(doses.name) == place)
    clock = np.where(counts, np.asarray(doses.clock), -np.inf).max(1, initial=-np.inf)
    return np.where(np.isfinite(clock), clock, np.asarray(problem.schedule.begin))
