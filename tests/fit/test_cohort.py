"""Simulated patients: the design as written, and values whose law is known."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from imak_pkpd.fit.spec import FitSpec, read_fit
from imak_pkpd.fit.synthesis import simulate_cohort

FIT = """
problem = "one bolus, two samples"
model = "{root}/models/pk1_iv.py"
[data]
file = "not_made_yet.csv"
time = "h"
inputs = {{ 1 = "central" }}
covariates = {{ WT = "constant" }}
columns = {{ DV = "conc" }}
[output.concentration]
unit = "mg/L"
error = "lognormal"
sigma = {{ median = 0.2, gsd = 2.0 }}
[theta]
CL = {{ median = 5.0, gsd = 2.0 }}
V1 = {{ median = 20.0, gsd = 2.0 }}
[omega]
CL = {{ dist = "HalfNormal", scale = 1.0 }}
V1 = {{ dist = "HalfNormal", scale = 1.0, of = "variance" }}
correlation = {{ parameters = ["CL", "V1"], lkj = 2.0 }}
[covariate.V1]
WT = {{ form = "power", reference = 70.0, exponent = {{ median = 1.0, sd = 0.2 }} }}
"""
COHORT = """subjects = 500
[covariate]
WT = { median = 70.0, gsd = 1.2, digits = 1 }
[dose.central]
times = [0.0]
amount = 2.0
per = "WT"
gsd = 1.3
[sample.concentration]
times = [0.0, 8.0]
lloq = 0.5
[truth]
CL_pop = 6.0
V1_pop = 25.0
beta_V1_WT = 0.9
omega_CL = 0.4
omega_V1 = 0.3
corr_CL_V1 = 0.5
concentration_sigma = 1e-6
"""
SIZE = 500


@pytest.fixture(scope="module")
def spec(root: Path, tmp_path_factory: pytest.TempPathFactory) -> FitSpec:
    path = tmp_path_factory.mktemp("cohort") / "fit.toml"
    path.write_text(FIT.format(root=root))
    return read_fit(path)


@pytest.fixture(scope="module")
def text(spec: FitSpec) -> str:
    (spec.folder / "cohort.toml").write_text(COHORT)
    return simulate_cohort(spec, spec.folder / "cohort.toml", seed=1)


@pytest.fixture(scope="module")
def rows(text: str, spec: FitSpec) -> pd.DataFrame:
    (spec.folder / "made.csv").write_text(text)
    return pd.read_csv(spec.folder / "made.csv", na_values=".")


def test_design(rows: pd.DataFrame) -> None:
    """A dose and two samples each; at equal times the sample comes first."""
    assert list(rows["EVID"]) == [0, 1, 0] * SIZE
    assert list(rows["TIME"]) == [0, 0, 8] * SIZE
    assert rows["ID"].is_monotonic_increasing
    assert rows["ID"].str.startswith("synthetic-").all()
    assert rows["ID"].nunique() == SIZE
    assert "RATE" not in rows  # no infusion, no such column


def test_doses_and_weights_have_their_spread(rows: pd.DataFrame) -> None:
    """ln gsd within 4 standard errors, sd / sqrt(2 n) of a normal sample."""
    doses = rows[rows["EVID"] == 1]
    spreads = {
        math.log(1.2): np.log(doses["WT"] / 70.0),
        math.log(1.3): np.log(doses["AMT"] / (2.0 * doses["WT"])),
    }
    for sd, sample in spreads.items():
        assert sample.std() == pytest.approx(sd, abs=4 * sd / math.sqrt(2 * SIZE))
        assert sample.mean() == pytest.approx(0, abs=4 * sd / math.sqrt(SIZE))


def test_nothing_is_there_before_the_dose(rows: pd.DataFrame) -> None:
    before = rows[(rows["EVID"] == 0) & (rows["TIME"] == 0)]
    assert (before["CENS"] == 1).all()
    assert (before["conc"] == 0.5).all()


def test_values_below_the_limit_are_the_limit(rows: pd.DataFrame) -> None:
    measured = rows[rows["EVID"] == 0]
    below = measured["CENS"] == 1
    assert (measured["conc"][below] == measured["LLOQ"][below]).all()
    assert (measured["conc"][~below] >= 0.5).all()
    assert rows["conc"][rows["EVID"] == 1].isna().all()


def test_share_below_the_limit(rows: pd.DataFrame) -> None:
    """P(C(8 h) < LLOQ) of the stated law, by drawing from it with NumPy alone.

    C = D/V exp(-CL/V 8), D/WT = 2 x 1.3^z, V = 25 (WT/70)^0.9 e^(0.3 z2), ...
    """
    rng = np.random.default_rng(2)
    z = rng.standard_normal((4, 400_000))
    weight = 70.0 * 1.2 ** z[0]
    dose = 2.0 * weight * 1.3 ** z[1]
    volume = 25.0 * (weight / 70.0) ** 0.9 * np.exp(0.3 * z[2])
    clearance = 6.0 * np.exp(0.4 * (0.5 * z[2] + math.sqrt(0.75) * z[3]))
    true = dose / volume * np.exp(-clearance / volume * 8.0)
    late = rows[(rows["EVID"] == 0) & (rows["TIME"] == 8)]
    p = (true < 0.5).mean()
    se = math.sqrt(p * (1 - p) / SIZE)
    assert late["CENS"].mean() == pytest.approx(p, abs=4 * se)
    quantified = np.log(late["conc"][late["CENS"] == 0])
    expected = np.log(true[true >= 0.5])
    se = expected.std() / math.sqrt(len(quantified))
    assert quantified.mean() == pytest.approx(expected.mean(), abs=4 * se)


def test_another_seed_is_another_file(text: str, spec: FitSpec) -> None:
    """That one seed gives one file is tested below, on the shipped one."""
    assert simulate_cohort(spec, spec.folder / "cohort.toml", seed=2) != text


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("[dose.central]", "[dose.centrl]", "did you mean 'central'"),
        ("[sample.concentration]", "[sample.conc]", "not an output of the fit"),
        ('per = "WT"', 'per = "WGT"', "'WGT' is not in [covariate]"),
        ("CL_pop = 6.0", "Cl_pop = 6.0", "did you mean 'CL_pop'"),
        ("omega_CL = 0.4\n", "", "'omega_CL' is missing"),
        ("lloq = 0.5", "loq = 0.5", "unknown key 'loq' (did you mean 'lloq'?)"),
        ("amount = 2.0", "amount = -2.0", "greater than 0"),
    ],
)
def test_a_cohort_that_does_not_suit(
    spec: FitSpec, tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    """One sentence, with the file and the line."""
    path = tmp_path / "wrong.toml"
    path.write_text(COHORT.replace("500", "2").replace(old, new))
    with pytest.raises(ValueError, match=r"^wrong\.toml:\d+: ") as error:
        simulate_cohort(spec, path, seed=1)
    assert sentence in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fit", "cohort", "seed"),
    [
        ("100-imak-core", "imak_core", 100),
        ("110-imak-full", "imak_full", 110),
        ("120-il2-culture", "il2_culture", 120),
    ],
)
def test_the_shipped_synthetic_patients(
    root: Path, fit: str, cohort: str, seed: int
) -> None:
    """The command in fits/data/README.md makes the shipped file again, to the byte."""
    spec = read_fit(root / f"fits/{fit}.toml")
    made = simulate_cohort(spec, root / f"fits/data/{cohort}.toml", seed=seed)
    assert made == (root / f"fits/data/{cohort}.csv").read_text()
