"""The shipped fit of the core model to synthetic patients, whose truth is known."""

import tomllib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imak_pkpd.check.convergence import diagnose
from imak_pkpd.fit.fit import fit
from imak_pkpd.fit.posterior import effect_forms, population_model
from imak_pkpd.fit.problem import Problem, read_problem
from imak_pkpd.fit.run import POSTERIOR
from imak_pkpd.fit.spec import read_fit
from imak_pkpd.fit.target import prior_median, target
from imak_pkpd.fit.tree import read_tree
from imak_pkpd.solve.mesh import build_mesh, declared_dosing

SAMPLES = {"donor": 6 * 33, "tumour": 4 * 33, "host": 2 * 33}


@pytest.fixture(scope="module")
def problem(root: Path) -> Problem:
    return read_problem(read_fit(root / "fits/100-imak-core.toml"))


def test_the_patients_are_read(problem: Problem) -> None:
    """33 of them with 12 samples each, all said to be synthetic; no rule complains."""
    seen = problem.schedule.observations
    counted = {
        name: int((seen.mask & (seen.output == place)).sum())
        for place, name in enumerate(problem.spec.output)
    }
    assert counted == SAMPLES
    assert problem.schedule.patients == 33
    assert all(name.startswith("synthetic-") for name in problem.dataset.subject)
    assert problem.spec.data is not None
    assert problem.spec.data.synthetic
    assert problem.dataset.findings == ()


def test_density_and_gradient(problem: Problem) -> None:
    """Finite at the prior medians; the slope there, against a central difference."""
    forms = effect_forms(problem.spec, problem.schedule)
    steps = [np.linspace(0, 28, 141)[1:-1]] * 33  # a step of 0.2 d is stable here
    mesh = build_mesh(problem.schedule, declared_dosing(problem.model), steps)
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


@pytest.mark.slow
def test_the_truth_is_recovered(root: Path, tmp_path: Path) -> None:
    """All checks pass; 13 of 17 truths are in 95 % intervals.

    With exact intervals 12 or fewer would be one trial in 860 (binomial; the
    estimates are correlated, so the number is a guide).
    """
    spec = read_fit(root / "fits/100-imak-core.toml")
    tree = read_tree(fit(spec, tmp_path) / POSTERIOR)
    diagnostics = diagnose(tree)
    assert diagnostics.passed, diagnostics.verdict
    cohort = tomllib.loads((root / "fits/data/imak_core.toml").read_text())
    inside = {}
    for name, true in cohort["truth"].items():
        low, high = np.quantile(np.asarray(tree["posterior"][name]), [0.025, 0.975])
        inside[name] = bool(low <= true <= high)
    assert len(inside) == 17
    assert sum(inside.values()) >= 13, inside
