"""Shipped fits to synthetic data: what the files say, and the truth they recover."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from imak_pkpd.check.convergence import diagnose
from imak_pkpd.fit.estimation import EstimationBlock
from imak_pkpd.fit.fit import fit
from imak_pkpd.fit.problem import Problem, read_problem
from imak_pkpd.fit.run import POSTERIOR
from imak_pkpd.fit.spec import read_fit
from imak_pkpd.fit.tree import read_tree
from tests.fit.slope import check_density_and_gradient
from tests.solve.medians import prior_medians

COLUMNS = {"unrelated", "cd20"}  # of the patient file, with no prior


class Shipped(NamedTuple):
    """One fit: its files, its subjects, its samples per subject, its days."""

    fit: str
    cohort: str
    subjects: int
    samples: Mapping[str, int]
    span: tuple[float, float]
    step: float  # days; stable at the prior medians


CULTURE = Shipped(
    fit="120-il2-culture",
    cohort="il2_culture",
    subjects=24,
    samples={"t": 3, "nk": 3, "viability": 3, "recovery": 3, "lak": 3, "il2": 3},
    span=(0.0, 4.0),
    step=0.1,
)
FULL = Shipped(
    fit="110-imak-full",
    cohort="imak_full",
    subjects=33,
    samples={
        **{"cyclophosphamide": 2, "il2": 3, "nk": 8, "t": 8},
        **{"host": 8, "tumour": 6},
    },
    span=(-1.0, 21.0),
    step=0.125,
)


@pytest.fixture(scope="module", params=[CULTURE, FULL], ids=lambda each: each.fit)
def shipped(request: pytest.FixtureRequest) -> Shipped:
    found: Shipped = request.param
    return found


@pytest.fixture(scope="module")
def problem(root: Path, shipped: Shipped) -> Problem:
    return read_problem(read_fit(root / f"fits/{shipped.fit}.toml"))


def test_the_subjects_are_read(problem: Problem, shipped: Shipped) -> None:
    """All their samples, all said to be synthetic; no rule complains."""
    seen = problem.schedule.observations
    counted = {
        name: int((seen.mask & (seen.output == place)).sum())
        for place, name in enumerate(problem.spec.output)
    }
    each = shipped.subjects
    assert counted == {name: each * number for name, number in shipped.samples.items()}
    assert problem.schedule.patients == each
    assert all(name.startswith("synthetic-") for name in problem.dataset.subject)
    assert problem.spec.data is not None
    assert problem.spec.data.synthetic
    assert problem.dataset.findings == ()


def test_every_number_has_its_prior_median(problem: Problem, shared: Path) -> None:
    """Fixed or estimated, to 1e-5: the accuracy of the locations in the table."""
    known = prior_medians(shared)
    said = {
        name: block.fixed if block.median is None else block.median
        for name, block in problem.spec.theta.items()
        if name not in COLUMNS
    }
    assert said == pytest.approx({name: known[name] for name in said}, rel=1e-5)


def test_density_and_gradient(problem: Problem, shipped: Shipped) -> None:
    """Finite at the prior medians; the slope there, against a central difference."""
    steps = np.arange(*shipped.span, shipped.step)[1:]
    check_density_and_gradient(problem, steps)


@pytest.mark.slow
def test_the_truth_is_recovered(root: Path, tmp_path: Path, shipped: Shipped) -> None:
    """No divergence and R-hat below 1.05 in a short run; truths where they belong.

    |z| <= 2 for nine of ten truths and none above 4, z in posterior SDs of the log: a
    normal posterior would have 1 in 20 above 2 and 1 in 16,000 above 4.
    """
    spec = read_fit(root / f"fits/{shipped.fit}.toml")
    short = EstimationBlock(chains=2, warmup=200, draws=200, seed=1, target_accept=0.9)
    spec = spec.model_copy(update={"estimation": short})
    tree = read_tree(fit(spec, tmp_path) / POSTERIOR)
    diagnostics = diagnose(tree)
    assert diagnostics.value("divergences") == 0
    assert float(diagnostics.value("R-hat") or np.inf) < 1.05
    cohort = tomllib.loads((root / f"fits/data/{shipped.cohort}.toml").read_text())
    z = {}
    for name, true in cohort["truth"].items():
        draws = np.log(np.asarray(tree["posterior"][name]))
        z[name] = float((np.log(true) - draws.mean()) / draws.std())
    sizes = np.abs(list(z.values()))
    assert np.mean(sizes <= 2) >= 0.9, z
    assert sizes.max() <= 4, z
