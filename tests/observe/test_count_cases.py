"""Likelihoods of answers and grades that are known from elsewhere."""

import csv
import tomllib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import sigmoid

from imak_pkpd.observe import BernoulliError, OrdinalError, log_likelihood


def read(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, float], float]:
    """Columns of the data, estimates and log-likelihood of the first reference."""
    rows = list(csv.DictReader((folder / "data.csv").read_text().splitlines()))
    columns = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    said = tomllib.loads((folder / "reference.toml").read_text())["reference"][0]
    at = {name: entry["value"] for name, entry in said["estimates"].items()}
    return columns, at, said["logLik"]


def test_bacteria(cases: Path) -> None:
    """Random-intercept logistic model: the marginal likelihood at lme4's estimates."""
    data, at, wanted = read(cases / "binary-bacteria")
    fixed = at["b0"] + at["b1"] * data["DRUG"] + at["b2"] * data["DRUGP"]
    fixed = fixed + at["b3"] * data["WK2"]
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    made = BernoulliError().distribution(
        sigmoid(fixed + at["omega"] * nodes[:, None]), {}
    )
    none = jnp.zeros(fixed.shape, int)
    logs = log_likelihood(made, jnp.asarray(data["DV"]), none, none.astype(float))
    _, subject = np.unique(data["ID"], return_inverse=True)
    by_subject = jax.ops.segment_sum(logs.T, subject)
    log_weights = np.log(weights / weights.sum())
    marginal = jax.nn.logsumexp(by_subject + log_weights, axis=1).sum()
    assert abs(marginal - wanted) < 1e-5  # asked: 0.01; the estimates have nine digits


def test_housing(cases: Path) -> None:
    """Proportional odds: the likelihood at polr's estimates; it is flat there."""
    data, at, wanted = read(cases / "ordinal-housing")
    names = [name for name in at if name not in ("z1", "z2")]
    shift = sum(at[name] * data[name] for name in names)
    cuts = jnp.asarray([at["z1"], at["z2"]])
    grade, none = jnp.asarray(data["DV"] - 1), jnp.zeros(len(shift), int)

    def total(cuts):
        made = OrdinalError().distribution(sigmoid(shift - cuts[:, None]), {})
        rows = log_likelihood(made, grade, none, none.astype(float))
        return (data["FREQ"] * rows).sum()  # each row stands for FREQ persons

    value, slope = jax.value_and_grad(total)(cuts)
    assert abs(value - wanted) < 1e-4  # asked: 1e-3
    assert np.abs(slope).max() < 0.05  # 1e-4 of the curvature times the SE
