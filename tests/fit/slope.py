"""The log-density of a fit at the prior medians: finite, with the slope that it has."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imak_pkpd.fit.posterior import effect_forms, population_model
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.target import prior_median, target
from imak_pkpd.solve.mesh import build_mesh, declared_dosing


def check_density_and_gradient(problem: Problem, steps: np.ndarray) -> None:
    """On a mesh with these steps in all patients, against a central difference."""
    forms = effect_forms(problem.spec, problem.schedule)
    own = [steps] * problem.schedule.subjects
    mesh = build_mesh(problem.schedule, declared_dosing(problem.model), own)
    args = jax.tree.map(jnp.asarray, (problem.schedule, mesh))
    made = target(population_model(problem.spec, problem.model, forms), args)
    place = prior_median(made, args)
    value, slope = made.evaluate(place, args)
    assert np.isfinite(value)
    assert np.isfinite(slope).all()
    assert np.abs(slope).min() > 0  # every site matters
    along = np.random.default_rng(1).standard_normal(made.size)
    along /= np.linalg.norm(along)
    step = 1e-5  # the error of the difference is about 1e-10 of the third derivative
    ahead, behind = (
        float(made.evaluate(place + side * along, args)[0]) for side in (step, -step)
    )
    expected = (ahead - behind) / (2 * step)
    assert float(slope @ along) == pytest.approx(expected, rel=1e-5)
