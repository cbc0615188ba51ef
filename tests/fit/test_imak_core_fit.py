"""The shipped fit of the core model to synthetic patients, whose truth is known."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from imak_pkpd.check.convergence import diagnose
from imak_pkpd.fit.fit import fit
from imak_pkpd.fit.problem import Problem, read_problem
from imak_pkpd.fit.run import POSTERIOR
from imak_pkpd.fit.spec import read_fit
from imak_pkpd.fit.tree import read_tree
from tests.fit.slope import check_density_and_gradient

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
    # a step of 0.2 d is stable here
    check_density_and_gradient(problem, np.linspace(0, 28, 141)[1:-1])


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
