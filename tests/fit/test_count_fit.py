"""Counts, grades and an uncertain limit from the fit file to the report."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from imak_pkpd.check.goodness import goodness, stacked
from imak_pkpd.fit.agreement import check_fit
from imak_pkpd.fit.fit import fit
from imak_pkpd.fit.problem import read_model, read_problem
from imak_pkpd.fit.spec import FitSpec, read_fit
from imak_pkpd.fit.synthesis import simulate_cohort
from imak_pkpd.fit.tree import read_tree
from imak_pkpd.report import write_report

MODEL = '''"""A share of donor cells that falls; grades and answers."""

import jax.numpy as jnp
from jax.nn import sigmoid

from imak_pkpd.model import AbstractStatic, Scalar, parameter


class Shares(AbstractStatic):
    time = "day"
    outputs = {
        "chimerism": "fraction", "droplets": "1/uL", "response": "probability",
        "grade_1": "probability", "grade_2": "probability", "level": "1/uL",
    }
    start: Scalar = parameter("", "share at first", scale="logit")
    fall: Scalar = parameter("1/day", "how fast it falls")

    def observe(self, t, inputs):
        share = self.start * jnp.exp(-self.fall * t)
        odds = jnp.log(self.fall)
        return {
            "chimerism": share, "droplets": 10 * share, "response": sigmoid(odds),
            "grade_1": sigmoid(odds + 1), "grade_2": sigmoid(odds - 1),
            "level": 100 * share,
        }
'''
FIT = """problem = "counts of every kind"
model = "shares.py"
[data]
file = "shares.csv"
time = "day"
[output.chimerism]
unit = "fraction"
dvid = 1
error = "binomial"
false_positive = { dist = "Beta", concentration1 = 3.0, concentration0 = 997.0 }
trials = "N"
[output.droplets]
unit = "1/uL"
dvid = 2
error = "poisson"
exposure = 20
[output.response]
unit = "probability"
dvid = 3
error = "bernoulli"
[output.toxicity]
unit = "probability"
dvid = 4
error = "ordinal"
at_least = ["grade_1", "grade_2"]
[output.level]
unit = "1/uL"
dvid = 5
error = "lognormal"
sigma = { dist = "HalfNormal", scale = 0.5 }
limit = { median = 1.0, gsd = 1.4, source = "the laboratory" }
[theta]
start = { median = 0.7, sd = 0.5 }
fall = { median = 0.5, gsd = 1.5 }
[omega]
fall = { dist = "HalfNormal", scale = 0.5 }
form = "z"
[estimation]
chains = 2
warmup = 150
draws = 100
"""
COHORT = """subjects = 8
[covariate]
N = { median = 500, gsd = 1.3, digits = 0 }
[sample]
chimerism = { times = [1, 3, 7, 10, 14], lloq = 3 }
droplets = { times = [1, 5, 9] }
response = { times = [7, 14] }
toxicity = { times = [3, 9] }
level = { times = [1, 3, 7, 10], lloq = 1.0 }
[truth]
start_pop = 0.75
fall_pop = 0.5
omega_fall = 0.3
chimerism_false_positive = 0.003
level_sigma = 0.3
level_limit = 1.0
"""


def written(folder: Path, text: str = FIT) -> FitSpec:
    (folder / "shares.py").write_text(MODEL)
    (folder / "shares.toml").write_text(text)
    (folder / "cohort.toml").write_text(COHORT)
    return read_fit(folder / "shares.toml")


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> FitSpec:
    """The fit file beside its simulated patients."""
    folder = tmp_path_factory.mktemp("shares")
    made = written(folder)
    (folder / "shares.csv").write_text(simulate_cohort(made, folder / "cohort.toml", 1))
    return made


def test_what_a_laboratory_would_report(spec: FitSpec) -> None:
    """Whole numbers; at most three positive cells are called negative."""
    rows = pd.read_csv(spec.folder / "shares.csv", na_values=".")
    counts = rows[rows["DVID"] < 5]
    assert (counts["DV"] == counts["DV"].round()).all()
    scored = rows[rows["DVID"] == 1]
    assert (scored["DV"] <= scored["N"]).all()
    assert (scored["CENS"] == (scored["DV"] <= 3)).all()
    assert scored["CENS"].any()
    assert rows.loc[rows["DVID"] == 3, "DV"].isin((0, 1)).all()


def test_the_fit_can_read_them(spec: FitSpec) -> None:
    problem = read_problem(spec)
    assert problem.dataset.findings == ()
    assert spec.extra_columns == ("N",)


def test_a_printed_fit_is_the_same_fit(spec: FitSpec, tmp_path: Path) -> None:
    printed = str(spec).replace(str(spec.model), "shares.py")
    again = written(tmp_path, printed)
    assert again.output == spec.output
    assert tomllib.loads(printed)["output"]["toxicity"]["at_least"] == [
        "grade_1",
        "grade_2",
    ]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"grade_2"]', '"grade_3"]', "the model has no output 'grade_3'"),
        ("output.response", "output.answer", "the model has no output 'answer'"),
        ('"grade_2"]', '"level"]', "got 'probability', but the model gives '1/uL'"),
    ],
)
def test_outputs_that_the_model_lacks(
    spec: FitSpec, tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    wrong = written(tmp_path, FIT.replace(old, new))
    (found,) = check_fit(wrong, read_model(spec))
    assert sentence in found
    assert found.startswith("shares.toml:")


@pytest.mark.slow
@pytest.mark.filterwarnings("error::UserWarning")
def test_a_fit_and_its_report(spec: FitSpec, tmp_path: Path) -> None:
    """Every row is on the scale of DV; the truth is inside; no part of it fails."""
    run = fit(spec, tmp_path)
    tree = read_tree(run / "posterior.nc")
    good = goodness(tree)
    counted = good.output < 4
    replicate = stacked(tree, "replicate")[:, counted]
    assert (replicate == np.round(replicate)).all()
    assert np.isfinite(good.iwres).all()
    trials = pd.read_csv(spec.folder / "shares.csv", na_values=".")["N"].max()
    assert 1 < good.ipred[good.output == 0].max() < trials
    toxicity = good.ipred[good.output == 3]
    assert 0 < toxicity.min() <= toxicity.max() < 2
    fall = np.asarray(tree["posterior"]["fall_pop"])
    assert np.quantile(fall, 0.001) < 0.5 < np.quantile(fall, 0.999)
    limit = np.asarray(tree["posterior"]["level_limit"])
    assert 0.5 < np.median(limit) < 2.0
    write_report(run)
    text = (run / "report.html").read_text()
    assert "VPC of chimerism" in text
    assert "chimerism (positive)" in text
    assert "it could not be made" not in text
