"""From a real small fit to the figures of its record, through DataTree and checks."""

from pathlib import Path

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from imak_pkpd.check.convergence import diagnose
from imak_pkpd.check.outcome import outcome
from imak_pkpd.check.parameter_table import parameter_table
from imak_pkpd.fit.estimation import EstimationBlock
from imak_pkpd.fit.sample import sample
from imak_pkpd.fit.target import constrain_draws, target
from imak_pkpd.fit.tree import (
    build_tree,
    posterior_group,
    read_tree,
    statistics_groups,
    write_tree,
)

SIGMA = 0.5
DATA = np.random.default_rng(12).normal(1.0, 0.8, (25, 1)) + np.random.default_rng(
    13
).normal(0.0, SIGMA, (25, 6))


def model(y: jax.Array) -> None:
    """Known SDs, so that theta and eta have a normal posterior."""
    theta = numpyro.sample("theta_a", dist.Normal(0.0, 3.0))
    omega = numpyro.deterministic("omega_a", np.asarray(0.8))
    with numpyro.plate("patient", 25):
        eta = numpyro.sample("eta_a", dist.Normal(0.0, omega))
    numpyro.deterministic("a", theta + eta)
    mean = (theta + eta)[:, None]
    numpyro.factor("likelihood", dist.Normal(mean, SIGMA).log_prob(y).sum())


def test_a_fit_ends_in_a_table_and_a_record(tmp_path: Path) -> None:
    density = target(model, (DATA,))
    settings = EstimationBlock(warmup=200, draws=500)
    draws = sample(density, (DATA,), settings, tmp_path / "run", {"model": "a"})
    values = constrain_draws(density, (DATA,), draws.positions)
    groups = {"posterior": posterior_group(values, 25), **statistics_groups(draws)}
    write_tree(build_tree(groups, {}, {}), tmp_path / "posterior.nc")
    tree = read_tree(tmp_path / "posterior.nc")

    found = diagnose(tree)
    assert found.passed, found.verdict
    result = outcome(found, draws)
    assert result.rhat_max == found.value("R-hat")
    assert (result.divergences, result.failed_solves) == (0, 0)
    assert result.leapfrogs["sampling"] == tree["sample_stats/n_steps"].values.sum()
    assert result.draws_sha256 == draws.sha256
    assert result.solver_error is None
    assert tree["warmup"].sizes["draw"] == 200

    # theta given the means of the subjects: normal, both variances known
    variance = 0.8**2 + SIGMA**2 / 6
    precision = 25 / variance + 1 / 3.0**2
    mean = DATA.mean(1).sum() / variance / precision
    table = parameter_table(tree).set_index("name")
    assert list(table.index) == ["theta_a"]  # omega is fixed and not a parameter
    row = table.loc["theta_a"]
    sd = precision**-0.5
    # medians and quantiles of more than 1000 effective draws: 0.04 sd and 0.08 sd each
    assert row["median"] == pytest.approx(mean, abs=4 * 0.04 * sd)
    assert row["lower"] == pytest.approx(mean - 1.96 * sd, abs=4 * 0.08 * sd)
    assert row["upper"] == pytest.approx(mean + 1.96 * sd, abs=4 * 0.08 * sd)
