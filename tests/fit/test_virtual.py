"""Cohort means against the closed form of one compartment, patient by patient."""

from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from imak_pkpd.fit.problem import read_model
from imak_pkpd.fit.spec import FitSpec, read_fit
from imak_pkpd.fit.virtual import (
    UNSOLVED,
    Virtual,
    cohort_means,
    prior_sites,
    virtual_cohort,
)
from imak_pkpd.solve.mesh import build_mesh, declared_dosing

FIT = """
problem = "boluses to patients that do not exist"
model = "{root}/models/pk1_iv.py"
[theta]
CL = {{ median = 5.0, gsd = 1.3 }}
V1 = {{ median = 20.0, gsd = 1.2 }}
[omega]
CL = {{ fixed = 0.3 }}
V1 = {{ median = 0.2, gsd = 1.2 }}
[cohort.trial]
patients = 16
refined = 32
horizon = 24.0
tolerance = 1e-6
[cohort.trial.covariate]
WT = {{ median = 70.0, gsd = 1.2 }}
[cohort.trial.dose]
central = {{ times = [0.0, 6.0], amount = {{ median = 2.0, gsd = 1.2 }}, per = "WT" }}
[estimand]
auc = {{ kind = "area", output = "concentration" }}
early = {{ kind = "area", output = "concentration", horizon = 5.0 }}
late = {{ kind = "value", output = "concentration" }}
gone = {{ kind = "crossing", output = "concentration", below = 1.0 }}
"""
DRAWS = 70  # more than one call holds, and not a multiple of it


@pytest.fixture
def spec(root: Path, tmp_path: Path) -> FitSpec:
    (tmp_path / "fit.toml").write_text(FIT.format(root=root))
    return read_fit(tmp_path / "fit.toml")


@pytest.fixture
def cohort(spec: FitSpec) -> Virtual:
    return virtual_cohort(spec, read_model(spec), "trial")


def test_means_of_the_closed_form(cohort: Virtual) -> None:
    """Steps of 1e-6 for 98 % of the prior, longer ones for the rest: means to 1e-3."""
    sites = prior_sites(cohort, draws=DRAWS, number=1)
    told: list[int] = []
    found = cohort_means(cohort, sites, ("auc", "early", "late"), told.append)
    assert sum(told) >= DRAWS
    z, weight = cohort.patients.normals, cohort.patients.columns["WT"]
    clearance = np.exp(sites["theta_CL"][:, None] + 0.3 * z[:, 0])
    spread = sites["omega_V1"][:, None]
    volume = np.exp(sites["theta_V1"][:, None] + spread * z[:, 1])
    dose = sites["trial_central_amount"][:, None] * weight
    k = clearance / volume
    after = dose * (1 + np.exp(-6 * k)) / volume  # just after the second dose
    for name, span in (("auc", 18.0), ("early", 5.0)):
        auc = after / k * -np.expm1(-span * k)
        np.testing.assert_allclose(found[name], auc.mean(1), rtol=1e-3)
    late = after * np.exp(-18 * k)
    np.testing.assert_allclose(found["late"], late.mean(1), rtol=1e-3)
    np.testing.assert_array_equal(found["failed"], 0.0)


def test_draws_that_steps_are_too_long_for_are_solved_again(cohort: Virtual) -> None:
    """Steps of 9 h are too long at 0.25/h for some; quarters of them err by 1 %."""
    steps = [np.array([15.0])] * cohort.schedule.subjects
    long = build_mesh(cohort.schedule, declared_dosing(cohort.model), steps)
    coarse = replace(cohort, mesh=long)
    sites = prior_sites(cohort, draws=8, number=1)
    outcomes = coarse.outcomes({n: v[0] for n, v in sites.items()}, ("auc",))
    assert np.asarray(outcomes["failed"]).mean() > UNSOLVED
    found = cohort_means(coarse, sites, ("auc", "late"))
    right = cohort_means(cohort, sites, ("auc", "late"))
    np.testing.assert_allclose(found["failed"], 0.0)
    np.testing.assert_allclose(found["auc"], right["auc"], rtol=0.03)


def test_another_scramble_on_the_same_steps(spec: FitSpec, cohort: Virtual) -> None:
    other = virtual_cohort(spec, cohort.model, "trial", 32, scramble=1, like=cohort)
    assert other.schedule.subjects == 32
    ours, theirs = (np.unique(np.asarray(c.mesh.clock)) for c in (cohort, other))
    np.testing.assert_array_equal(ours, theirs)
    assert not np.allclose(other.patients.normals[:16], cohort.patients.normals)


def test_prior_draws_are_the_priors(cohort: Virtual) -> None:
    """2,000 draws: means and SDs within 4 standard errors."""
    sites = prior_sites(cohort, draws=2000, number=2)
    theta = sites["theta_CL"]
    assert abs(theta.mean() - np.log(5.0)) < 4 * np.log(1.3) / np.sqrt(2000)
    assert abs(theta.std() / np.log(1.3) - 1) < 4 / np.sqrt(4000)
    amount = np.log(sites["trial_central_amount"])
    assert abs(amount.mean() - np.log(2.0)) < 4 * np.log(1.2) / np.sqrt(2000)


def test_what_patients_share_is_computed_once(cohort: Virtual) -> None:
    """One row of events and steps for all patients, or one each: the same curves."""
    sites = {n: v[0] for n, v in prior_sites(cohort, draws=1, number=1).items()}
    apart = cohort.solved(*cohort.individuals(sites))
    _, schedule, mesh = cohort.arrays
    once = replace(cohort, schedule=schedule, mesh=mesh)
    assert len(mesh.clock) == len(schedule.doses.clock) == 1 < schedule.subjects
    together = once.solved(*once.individuals(sites))
    for ours, theirs in zip(
        jax.tree.leaves(together), jax.tree.leaves(apart), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_who_does_not_get_a_dose_has_the_steps_of_the_others(
    root: Path, tmp_path: Path
) -> None:
    """A dose of one group: nothing in the others, and one mesh for all."""
    text = FIT.replace('per = "WT" }}', 'per = "WT", group = "treated" }}')
    text += "[cohort.trial.group]\ntreated = {{ share = 0.5 }}\n"
    (tmp_path / "fit.toml").write_text(text.format(root=root))
    spec = read_fit(tmp_path / "fit.toml")
    cohort = virtual_cohort(spec, read_model(spec), "trial")
    assert len(cohort.arrays[2].clock) == 1
    sites = {n: v[0] for n, v in prior_sites(cohort, draws=1, number=1).items()}
    found = np.asarray(cohort.outcomes(sites, ("late",))["late"])
    treated = cohort.patients.columns["treated"] > 0
    assert 0 < treated.sum() < len(treated)
    np.testing.assert_array_equal(found[~treated], 0.0)
    assert np.all(found[treated] > 0)
