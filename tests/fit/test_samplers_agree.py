"""NUTS and tempered particles on one posterior: records of three patients, two facts.

Both on the same virtual patients and steps. "The same" is within three combined Monte
Carlo standard errors, of the mean and of the SD of every population parameter.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from imak_pkpd.check.convergence import ess_bulk, rhat
from imak_pkpd.fit.fit import overridden
from imak_pkpd.fit.meshes import Meshes
from imak_pkpd.fit.posterior import effect_forms, population_model, sample_all
from imak_pkpd.fit.problem import Problem, read_problem
from imak_pkpd.fit.progress import Silent
from imak_pkpd.fit.records import read_records
from imak_pkpd.fit.sample import sample
from imak_pkpd.fit.spec import read_fit
from imak_pkpd.fit.target import constrain_draws, target
from imak_pkpd.fit.virtual import virtual_cohort
from imak_pkpd.fit.weighting import tempered
from tests.fit.decay import MODEL

FIT = """\
problem = "SYNTHETIC records of three patients, and facts of others"
model = "decay.py"
[data]
file = "three.csv"
time = "day"
inputs = { 1 = "drug" }
synthetic = true
[output.drug]
unit = "mg"
dvid = 1
error = "lognormal"
sigma = { fixed = 0.2 }
[output.burden]
unit = "cells"
dvid = 2
error = "lognormal"
sigma = { median = 0.4, gsd = 1.3 }
[theta]
k = { median = 0.5, gsd = 1.5 }
d = { median = 0.2, gsd = 1.5 }
b = { median = 2.0, sd = 0.5 }
p = { fixed = 0.25 }
slow = { fixed = 0.0 }
[omega]
k = { median = 0.3, gsd = 1.4 }
b = { median = 0.4, gsd = 1.4 }
[cohort.others]
patients = 16
horizon = 10.0
[cohort.others.dose]
drug = { times = [0.0], amount = 8.0 }
[estimand]
left = { kind = "value", output = "drug", at = 2.0 }
low = { kind = "remission", output = "burden", visits = [5.0], below = 40.0, spread = 0.5 }
[evidence]
remission = { kind = "binomial", k = 23, n = 33, of = "low", cohort = "others" }
drug = { kind = "normal", value = 2.2, sd = 0.15, scale = "log", of = "left", cohort = "others" }
[estimation]
chains = 4
warmup = 500
draws = 1000
target_accept = 0.98
refined_draws = 1500
seed = 11
"""  # noqa: E501
SEEDS = (1, 2, 3, 4)
SHARED = ("theta_k", "theta_d", "theta_b", "omega_k", "omega_b", "burden_sigma")
DRUG = {1.0: (4.6, 5.6, 3.9), 3.0: (1.6, 2.6, 1.1)}
BURDEN = {0.0: (70.0, 300.0, 160.0), 6.0: (24.0, 60.0, 48.0)}


class Moments(NamedTuple):
    """Mean and SD of each parameter, with their standard errors."""

    value: np.ndarray
    error: np.ndarray


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    folder = tmp_path_factory.mktemp("both")
    (folder / "decay.py").write_text(MODEL)
    rows = ["ID,TIME,AMT,DV,EVID,CMT,DVID"]
    for place in range(3):
        rows.append(f"{place + 1},0,8,.,1,1,.")
        seen = [
            (time, values[place], dvid)
            for dvid, table in ((1, DRUG), (2, BURDEN))
            for time, values in table.items()
        ]
        rows += [f"{place + 1},{t},.,{dv},0,.,{dvid}" for t, dv, dvid in sorted(seen)]
    (folder / "three.csv").write_text("\n".join(rows) + "\n")
    (folder / "both.toml").write_text(FIT)
    return read_problem(read_fit(folder / "both.toml"))


def moments_of_chains(drawn: dict[str, np.ndarray]) -> Moments:
    """Errors by the bulk ESS of the draws and of their squares."""
    means, sds, errors = [], [], []
    for name in SHARED:
        chains = drawn[name]
        assert rhat(chains) < 1.01
        mean, sd = chains.mean(), chains.std()
        means.append(mean)
        sds.append(sd)
        square = ((chains - mean) / sd) ** 2
        of_sd = 0.5 * square.std() / np.sqrt(ess_bulk(square))
        errors.append((sd / np.sqrt(ess_bulk(chains)), sd * of_sd))
    return Moments(np.array([means, sds]), np.array(errors).T)


def moments_of_particles(runs: list[dict[str, np.ndarray]]) -> Moments:
    """Errors from the scatter of independent runs, pooled over the parameters."""
    each = np.array(
        [[[f(run[n]) for n in SHARED] for f in (np.mean, np.std)] for run in runs]
    )
    mean = each.mean(0)
    relative = (each - mean) / mean[1]  # in posterior SDs
    pooled = np.sqrt((relative**2).sum((0, 2)) / ((len(runs) - 1) * len(SHARED)))
    return Moments(mean, pooled[:, None] * mean[1] / np.sqrt(len(runs)))


@pytest.mark.slow
def test_both_samplers_give_one_posterior(problem: Problem, tmp_path: Path) -> None:
    spec, model = problem.spec, problem.model
    cohorts = {"others": virtual_cohort(spec, model, "others")}
    records = read_records(problem)
    meshes = Meshes(records.mesh, cohorts)
    function = population_model(spec, model, effect_forms(spec, problem.schedule))
    args = meshes.arguments(problem)
    density = target(function, args)
    draws = sample(density, args, spec.estimation, tmp_path / "nuts", {"test": "both"})
    # with 200 warm-up draws a chain had too long a step, 17 divergences, and a bias
    assert not draws.statistics["diverging"].any()
    sampled = moments_of_chains(constrain_draws(density, args, draws.positions))

    def prior() -> None:
        sample_all(spec, model, records.forms, problem.schedule, cohorts)

    runs = [
        tempered(overridden(spec, {"seed": s}), cohorts, prior, Silent(), records)[0]
        for s in SEEDS
    ]
    particles = moments_of_particles([dict(run) for run in runs])
    apart = np.abs(sampled.value - particles.value)
    apart /= np.hypot(sampled.error, particles.error)
    print("combined SE apart, means and SDs:", apart.round(2))
    print(
        "SE in posterior SDs:",
        (sampled.error / sampled.value[1]).round(3),
        (particles.error / sampled.value[1]).round(3),
    )
    assert apart.max() < 3
    # and neither is so noisy that this says nothing: a tenth of a posterior SD
    for each in (sampled, particles):
        assert (each.error / each.value[1]).max() < 0.1
