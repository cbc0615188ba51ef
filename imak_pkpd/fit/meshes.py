"""`Meshes`: on what the patients of a fit are solved, and the virtual ones beside them.

`event_mesh` has no sub-steps yet, `finer` halves them; arrays go to and from a file.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from imak_pkpd.fit.posterior import method_of
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.virtual import Virtual, unplaced_cohort, virtual_cohort
from imak_pkpd.model import AbstractStatic
from imak_pkpd.solve.calibrate import refined
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing


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
    """Whether patients are solved on steps of our making: not closed form, adaptive or
    static."""
    static = issubclass(problem.model, AbstractStatic)
    return not static and method_of(problem.spec, problem.model) == "mesh"


def event_mesh(problem: Problem) -> Mesh | None:
    """The mesh without sub-steps; None for a model without states."""
    if issubclass(problem.model, AbstractStatic):
        return None
    return build_mesh(problem.schedule, declared_dosing(problem.model))


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
