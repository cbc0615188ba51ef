"""`Meshes`: on what the patients of a fit are solved, and the virtual ones beside them.

`event_mesh` has no sub-steps yet, `finer` halves them; arrays go to and from a file.
Where an output is a hazard, every mesh has steps on which it can be integrated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from imak_pkpd.fit.posterior import (
    REFERENCE,
    method_of,
    reference_of,
    settled,
    stepper_of,
)
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.virtual import Virtual, unplaced_cohort, virtual_cohort
from imak_pkpd.model import AbstractModel, AbstractStatic
from imak_pkpd.solve.calibrate import calibrate, refined
from imak_pkpd.solve.choose import choose
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing
from imak_pkpd.solve.method import MESHES
from imak_pkpd.solve.stepper import Adaptive

HAZARD_STEPS = 64
"""Steps, at the least, over a patient's records where a hazard is integrated: one that
grows e^5-fold over them is then right to (5/64)^4/720 = 5e-8."""


class Meshes(NamedTuple):
    """The mesh of the patients (None: no ODE), and virtual cohorts with theirs."""

    patients: Mesh | None
    cohorts: Mapping[str, Virtual] = {}

    def arguments(self, problem: Problem) -> tuple:
        """What `population_model` is a function of, as JAX arrays."""
        arrays = {name: cohort.arrays for name, cohort in self.cohorts.items()}
        return jax.tree.map(jnp.asarray, (problem.schedule, self.patients, arrays))

    def halved(self, problem: Problem) -> "Meshes":
        """The same with every step halved that is of our making."""
        return Meshes(
            finer(problem, self.patients) if needs_mesh(problem) else self.patients,
            {name: _halved(cohort) for name, cohort in self.cohorts.items()},
        )


def _halved(cohort: Virtual) -> Virtual:
    dosing = declared_dosing(cohort.model)
    return replace(cohort, mesh=refined(cohort.mesh, cohort.schedule, dosing))


def needs_mesh(problem: Problem) -> bool:
    """Whether patients are solved, or hazards integrated, on steps of our making: not
    closed form, adaptive or static."""
    if issubclass(problem.model, AbstractStatic):
        return bool(problem.spec.hazards)
    return method_of(problem.spec, problem.model) in MESHES


def alternatives(problem: Problem) -> tuple[Problem, ...]:
    """The problem, and the same as a stiff one where nothing is chosen yet."""
    stiff = with_method(problem, "rosenbrock")
    if stiff is problem or not needs_mesh(problem):
        return (problem,)
    return problem, stiff


def beside_mesh(problem: Problem, tolerance: float = REFERENCE) -> Adaptive | None:
    """The reference where the patients are on a mesh; None: they need no other."""
    if not needs_mesh(problem):
        return None
    return reference_of(problem.spec, problem.model, tolerance)


def with_method(problem: Problem, method: str) -> Problem:
    """The problem with [solver] method settled; itself where that changes nothing."""
    spec = settled(problem.spec, method)
    return problem if spec is problem.spec else replace(problem, spec=spec)


def event_mesh(problem: Problem) -> Mesh | None:
    """The mesh without sub-steps but those of a hazard; None where none is needed: a
    model without states and without a hazard."""
    if issubclass(problem.model, AbstractStatic) and not problem.spec.hazards:
        return None
    steps = _hazard_steps(problem)
    return build_mesh(problem.schedule, declared_dosing(problem.model), steps)


class Placed(NamedTuple):
    """A mesh, the method that crosses it, and why it is that one (of "auto")."""

    mesh: Mesh | None
    method: str
    why: str


def unplaced(problem: Problem) -> Placed:
    """The mesh without sub-steps, of a method that needs none."""
    method = method_of(problem.spec, problem.model)
    return Placed(event_mesh(problem), method, "")


def placed_mesh(
    problem: Problem, pilots: Sequence[AbstractModel], share: float | None = None
) -> Placed:
    """The mesh of the patients that `pilots` ask for (see `calibrate`, `choose`).

    Where an output is a hazard, with steps for it: nothing else has placed any there.
    """
    if issubclass(problem.model, AbstractStatic):
        return unplaced(problem)
    schedule, dosing = problem.schedule, declared_dosing(problem.model)
    asked = (pilots, schedule, dosing, problem.spec.solver.tolerance)
    if problem.spec.solver.method == "auto":
        found = Placed(*choose(*asked, share))
    else:
        stepper = stepper_of(problem.spec, problem.model)
        method = method_of(problem.spec, problem.model)
        found = Placed(
            calibrate(*asked, stepper, share), method, "as the fit file says"
        )
    return found._replace(mesh=_with_hazards(problem, found.mesh))


def _with_hazards(problem: Problem, mesh: Mesh | None) -> Mesh | None:
    """The mesh with steps on which hazards are integrated, where there are some."""
    steps = _hazard_steps(problem)
    if steps is None or mesh is None:
        return mesh
    rows = zip(np.asarray(mesh.clock), steps, strict=True)
    every = [np.union1d(row, own) for row, own in rows]
    dosing = declared_dosing(problem.model)
    return build_mesh(problem.schedule, dosing, every, mesh.steady_steps)


def reference_mesh(problem: Problem, mesh: Mesh | None) -> Mesh | None:
    """On what the adaptive reference of `mesh` goes: from event to event.

    Where an output is a hazard, on half the steps of `mesh`, because the integral has
    an error that no solver of the states removes.
    """
    if problem.spec.hazards and needs_mesh(problem):
        return finer(problem, mesh)
    return event_mesh(problem)


def _hazard_steps(problem: Problem) -> list[np.ndarray] | None:
    """Evenly spaced times over each patient's records; None without a hazard."""
    if not problem.spec.hazards:
        return None
    begin, end = map(np.asarray, (problem.schedule.begin, problem.schedule.end))
    return list(np.linspace(begin, end, HAZARD_STEPS + 1, axis=1)[:, 1:-1])


def fit_cohorts(problem: Problem) -> dict[str, Virtual]:
    """The virtual cohorts of a fit with [evidence], on meshes made for the prior."""
    if not problem.spec.evidence:
        return {}
    spec, model = problem.spec, problem.model
    return {name: virtual_cohort(spec, model, name) for name in spec.cohort}


def event_meshes(problem: Problem) -> Meshes:
    """For the adaptive reference: patients from event to event."""
    return Meshes(event_mesh(problem), fit_cohorts(problem))


def finer(problem: Problem, mesh: Mesh | None) -> Mesh | None:
    """The mesh with every step halved; None stays None."""
    if mesh is None:
        return None
    return refined(mesh, problem.schedule, declared_dosing(problem.model))


def mesh_arrays(mesh: Mesh | None) -> dict[str, np.ndarray]:
    """The fields of a mesh for a file; nothing for no mesh."""
    if mesh is None:
        return {}
    return {f.name: np.asarray(getattr(mesh, f.name)) for f in fields(mesh)}


def mesh_from_arrays(arrays: Mapping[str, np.ndarray]) -> Mesh:
    """The mesh of `mesh_arrays`."""
    stored: dict[str, Any] = dict(arrays)
    stored["moving"] = bool(arrays["moving"])
    stored["steady_steps"] = int(arrays["steady_steps"])
    return Mesh(**stored)


def arrays_of_meshes(meshes: Meshes) -> dict[str, np.ndarray]:
    """All meshes for one file, fields as `mesh/clock` and `cohort0/clock`."""
    named = {"mesh": meshes.patients}
    for place, cohort in enumerate(meshes.cohorts.values()):
        named[f"cohort{place}"] = cohort.mesh
    return {
        f"{name}/{field}": value
        for name, mesh in named.items()
        for field, value in mesh_arrays(mesh).items()
    }


def meshes_from_arrays(problem: Problem, arrays: Mapping[str, np.ndarray]) -> Meshes:
    """The meshes of `arrays_of_meshes`."""
    names = problem.spec.cohort if problem.spec.evidence else ()
    cohorts = {}
    for place, name in enumerate(names):
        bare = unplaced_cohort(problem.spec, problem.model, name)
        mesh = mesh_from_arrays(_fields(arrays, f"cohort{place}/"))
        cohorts[name] = replace(bare, mesh=mesh)
    own = _fields(arrays, "mesh/")
    return Meshes(mesh_from_arrays(own) if own else None, cohorts)


def _fields(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    own = [name for name in arrays if name.startswith(prefix)]
    return {name.removeprefix(prefix): arrays[name] for name in own}
