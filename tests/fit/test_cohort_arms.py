"""Arms and groups in a cohort file, doses of a group, a covariate along another."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from imak_pkpd.fit.spec import FitSpec, read_fit
from imak_pkpd.fit.synthesis import simulate_cohort

FIT = """
problem = "one bolus, and one infusion for some"
model = "{root}/models/pk1_iv.py"
[data]
file = "not_made_yet.csv"
time = "h"
inputs = {{ 1 = "central" }}
covariates = {{ WT = "constant", BSA = "constant", old = "constant", ill = "constant" }}
[output.concentration]
unit = "mg/L"
error = "lognormal"
sigma = {{ fixed = 0.2 }}
[theta]
CL = {{ median = 5.0, gsd = 2.0 }}
V1 = {{ median = 20.0, gsd = 2.0 }}
"""
COHORT = """subjects = 600
[covariate]
WT = { median = 70.0, gsd = 1.2, digits = 1 }
BSA = { median = 1.8, along = "WT", exponent = 0.5, digits = 4 }
[group]
old = { share = 0.3 }
ill = { share = 0.5, among = "old" }
[dose.central]
times = [0.0, 4.0]
amount = [1.0, 10.0, 100.0]
per = "BSA"
group = "old"
[sample.concentration]
times = [8.0]
[truth]
CL_pop = 6.0
V1_pop = 25.0
"""
SIZE = 600


@pytest.fixture(scope="module")
def spec(root: Path, tmp_path_factory: pytest.TempPathFactory) -> FitSpec:
    path = tmp_path_factory.mktemp("arms") / "fit.toml"
    path.write_text(FIT.format(root=root))
    return read_fit(path)


@pytest.fixture(scope="module")
def rows(spec: FitSpec) -> pd.DataFrame:
    path = spec.folder / "cohort.toml"
    path.write_text(COHORT)
    (spec.folder / "made.csv").write_text(simulate_cohort(spec, path, seed=1))
    return pd.read_csv(spec.folder / "made.csv", na_values=".")


def test_shares_of_the_groups(rows: pd.DataFrame) -> None:
    """Within 4 standard errors of a binomial share; none is ill who is not old."""
    each = rows.groupby("ID").first()
    old, ill = each["old"] == 1, each["ill"] == 1
    assert set(each["old"]) == {0, 1}
    assert old.mean() == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / SIZE))
    error = math.sqrt(0.25 / old.sum())
    assert ill[old].mean() == pytest.approx(0.5, abs=4 * error)
    assert not ill[~old].any()


def test_only_the_group_is_dosed(rows: pd.DataFrame) -> None:
    doses = rows[rows["EVID"] == 1].groupby("ID").size()
    assert set(doses.index) == set(rows["ID"][rows["old"] == 1])
    assert set(doses) == {2}
    assert (rows[rows["EVID"] == 0].groupby("ID").size() == 1).all()


def test_arms_are_given_in_turn(rows: pd.DataFrame) -> None:
    """1, 10, 100 by number of the patient; three digits of AMT are kept."""
    doses = rows[rows["EVID"] == 1]
    number = doses["ID"].str.removeprefix("synthetic-").astype(int) - 1
    expected = 10.0 ** (number % 3) * doses["BSA"]
    np.testing.assert_allclose(doses["AMT"], expected, rtol=5.01e-3)


def test_a_covariate_along_another(rows: pd.DataFrame) -> None:
    """BSA = 1.8 (WT / 70)^0.5, to four decimals."""
    expected = 1.8 * np.sqrt(rows["WT"] / 70.0)
    np.testing.assert_allclose(rows["BSA"], expected, atol=5.01e-5)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('along = "WT"', 'along = "WGT"', "'WGT' is not in [covariate] above it"),
        ('along = "WT"', 'along = "BSA"', "'BSA' is not in [covariate] above it"),
        ('among = "old"', 'among = "ill"', "'ill' is not in [group] above it"),
        ('group = "old"', 'group = "olt"', "did you mean 'old'"),
        ("share = 0.3", "share = 1.3", "less than or equal to 1"),
        ("[1.0, 10.0, 100.0]", "[]", "at least 1 item"),
        ("[1.0, 10.0, 100.0]", "[1.0, -10.0]", "greater than 0"),
    ],
)
def test_a_cohort_that_does_not_suit(
    spec: FitSpec, tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    """One sentence, with the file and the line."""
    path = tmp_path / "wrong.toml"
    path.write_text(COHORT.replace("600", "2").replace(old, new))
    with pytest.raises(ValueError, match=r"^wrong\.toml:\d+: ") as error:
        simulate_cohort(spec, path, seed=1)
    assert sentence in str(error.value)
