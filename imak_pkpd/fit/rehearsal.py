"""`rehearse`: the last thing before sampling, one log density at the prior medians."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from imak_pkpd.fit.explain import explain_start, reference_target
from imak_pkpd.fit.meshes import alternatives
from imak_pkpd.fit.meshing import Forms
from imak_pkpd.fit.posterior import effect_forms
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.sampler import Plan, plan_of
from imak_pkpd.fit.target import prior_median


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
    for each in alternatives(problem):
        size, position, value = _evaluated(each, forms)
        if np.isfinite(value):
            break
    finite = np.isfinite(value)
    complaint = "" if finite else explain_start(problem, forms)(position)
    spec = problem.spec
    return Rehearsal(size, value, complaint, plan_of(spec), spec.double_use)


def _evaluated(
    problem: Problem, forms: Forms
) -> tuple[int, Float[np.ndarray, " d"], float]:
    """Dimensions, the position of the prior medians, and the log density there."""
    made, args = reference_target(problem, forms)
    position = prior_median(made, args)
    potential = float(jax.jit(made.potential)(jnp.asarray(position), args))
    return made.size, position, -potential
