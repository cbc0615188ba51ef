"""Steps of each draw against the closed form of one compartment, at both ends."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import spearmanr

from imak_pkpd.decide.decision import decision_of
from imak_pkpd.decide.designs import Treated, between, layouts, treated
from imak_pkpd.decide.evaluate import Batch, batches, of_draws, patients_of
from imak_pkpd.decide.of_run import with_states
from imak_pkpd.fit.spec import read_fit
from imak_pkpd.fit.virtual import prior_sites, unplaced_cohort
from imak_pkpd.solve.calibrate import looking

FIT = """
problem = "a bolus, eliminated fast or slowly"
model = "{root}/models/pk1_iv.py"
[theta]
CL = {{ median = 5.0, gsd = 4.0 }}
V1 = {{ fixed = 20.0 }}
[omega]
CL = {{ fixed = 0.1 }}
[cohort.trial]
horizon = 24.0
tolerance = 1e-6
[cohort.trial.dose]
central = {{ times = [0.0], amount = 1.0 }}
[estimand]
auc = {{ kind = "area", output = "concentration" }}
[decision]
cohort = "trial"
utility = "auc"
draws = 6
patients = 16
batches = 4
[decision.amount]
central = {{ low = 1.0, high = 100.0, points = 2 }}
"""


def part_of(root: Path, tmp_path: Path) -> tuple[Treated, list[Batch]]:
    (tmp_path / "fit.toml").write_text(FIT.format(root=root))
    spec = read_fit(tmp_path / "fit.toml")
    block, model = decision_of(spec), with_states(spec)
    sites = prior_sites(unplaced_cohort(spec, model, "trial", 2), draws=24, number=1)
    made = treated(spec, block, model, next(layouts(block)), sites)
    return made, batches(made, block, sites)


@pytest.fixture
def part(root: Path, tmp_path: Path) -> tuple[Treated, list[Batch]]:
    return part_of(root, tmp_path)


def steps(clock: np.ndarray) -> int:
    return len(np.unique(clock))


def test_steps_follow_the_draw(part: tuple[Treated, list[Batch]]) -> None:
    """The faster an exponential, the more steps; for all draws at once, most."""
    made, some = part
    rate = np.concatenate([np.exp(each.sites["theta_CL"]) for each in some]) / 20.0
    own = np.array([steps(row) for each in some for row in each.meshes.clock])
    order = np.argsort(rate)
    assert own[order[-1]] > 3 * own[order[0]]
    assert spearmanr(rate, own).statistic > 0.9
    assert own.mean() < 0.6 * steps(np.asarray(made.cohort.mesh.clock))


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_areas_of_the_closed_form(
    part: tuple[Treated, list[Batch]], end: float
) -> None:
    """Steps are right to 1e-6, cubics between them to 1e-4 of an area."""
    made, some = part
    amount = between(made.block, end)
    run = jax.jit(
        lambda batch: of_draws(made, batch, lambda a, s: patients_of(a, s, amount))
    )
    for batch in some:
        found, failed = run(jax.tree.map(jnp.asarray, batch))
        clearance = np.exp(
            batch.sites["theta_CL"][:, None] + 0.1 * batch.patients.normals[:, 0]
        )
        area = float(amount[0]) / clearance * -np.expm1(-24.0 * clearance / 20.0)
        assert not np.asarray(failed).any()
        np.testing.assert_allclose(found["auc"], area, rtol=1e-4)


def test_all_steps_are_placed_by_one_program(root: Path, tmp_path: Path) -> None:
    """The common ones, looked at twice, and those of every draw at both ends."""
    looking.cache_clear()
    made, _ = part_of(root, tmp_path)
    assert looking(made.cohort.stepper)._cache_size() == 1
