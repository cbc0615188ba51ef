"""`rehearse`: the last thing before sampling, one log density at the prior medians."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from imak_pkpd.fit.explain import explain_start
from imak_pkpd.fit.meshes import event_meshes, needs_mesh
from imak_pkpd.fit.meshing import REFERENCE
from imak_pkpd.fit.posterior import effect_forms, population_model
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.sampler import Plan, plan_of
from imak_pkpd.fit.target import prior_median, target


class Rehearsal(NamedTuple):
    """The size of the posterior, its log density at the prior medians, and a complaint.

    `complaint` is empty where the density is finite; else it names subject and row.
    `plan` is which sampler would run; `warnings` say what the fit file uses twice.
    """

    dimensions: int
    log_density: float
    complaint: str
    plan: Plan
    warnings: tuple[str, ...]


def rehearse(problem: Problem) -> Rehearsal:
    """One evaluation of the posterior by the reference solver."""
    forms = effect_forms(problem.spec, problem.schedule)
    stepper = REFERENCE if needs_mesh(problem) else None
    function = population_model(problem.spec, problem.model, forms, stepper)
    args = event_meshes(problem).arguments(problem)
    made = target(function, args)
    position = prior_median(made, args)
    value = -float(jax.jit(made.potential)(jnp.asarray(position), args))
    finite = np.isfinite(value)
    complaint = "" if finite else explain_start(problem, forms)(position)
    spec = problem.spec
    return Rehearsal(made.size, value, complaint, plan_of(spec), spec.double_use)
