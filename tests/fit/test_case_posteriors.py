"""Posteriors of four reference cases through the whole pipeline: three seeds each.

Limits are those of each case's `[checks]`. A failed seed fails the case.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr

from imak_pkpd.check.convergence import diagnose, ess_bulk
from imak_pkpd.fit.fit import fit, overridden
from imak_pkpd.fit.spec import read_fit
from imak_pkpd.fit.tree import read_tree

SEEDS = (1, 2, 3)

BAUER = """
problem = "Short infusion, one compartment, weight, age and sex (simulated)"
model = "{root}/models/pk1_iv.py"

[data]
file = "{case}/data.csv"
time = "h"
inputs = {{ 1 = "central" }}
covariates = {{ WT = "constant", AGE = "constant", SEX = "constant" }}

[output.concentration]
unit = "mg/L"
error = "proportional"
# inverse-Wishart with nu = 1, S = 0.05 in one dimension
sigma = {{ dist = "InverseGamma", concentration = 0.5, rate = 0.025, of = "variance" }}

[theta]                                   # variance 1e5
CL = {{ dist = "Normal", loc = 0.01, scale = 316.227766 }}
V1 = {{ dist = "Normal", loc = 0.01, scale = 316.227766 }}

[omega.covariance]                        # nu = 2, S = diag(0.04): scale nu S
parameters = ["CL", "V1"]
dist = "InverseWishart"
df = 2
scale = [0.08, 0.08]

[covariate.CL]
WT = {{ form = "power", reference = 70, exponent = {prior} }}
AGE = {{ form = "power", reference = 50, exponent = {prior} }}
SEX = {{ form = "exponential", reference = 0, slope = {prior} }}

[covariate.V1]
WT = {{ form = "power", reference = 70, exponent = {prior} }}
AGE = {{ form = "power", reference = 50, exponent = {prior} }}
SEX = {{ form = "exponential", reference = 0, slope = {prior} }}
"""
FLAT = '{ dist = "Normal", loc = 0.01, scale = 316.227766 }'

SCHOOLS = """
problem = "Eight schools"
model = "{root}/tests/reference_models/eight_schools.py"

[data]
file = "{case}/data.csv"

[output.effect]
unit = "points"
error = "additive"
sigma = {{ column = "SIGMA" }}

[theta]
theta = {{ dist = "Normal", loc = 0, scale = 5 }}

[omega]
theta = {{ dist = "HalfCauchy", scale = 5, form = "z" }}

[estimation]
warmup = 1000
draws = 5000
target_accept = 0.95
"""


@pytest.fixture(autouse=True)
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The seeds share compiled programs through a cache on disk."""
    folder = tmp_path_factory.getbasetemp() / "compiled"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    yield
    jax.config.update("jax_compilation_cache_dir", None)


def reference(case: Path) -> dict[str, Mapping[str, Mapping[str, float]]]:
    """The estimates of a case by the name of their source."""
    said = tomllib.loads((case / "reference.toml").read_text())["reference"]
    return {each["name"]: each.get("estimates", {}) for each in said}


def fitted(path: Path, seed: int, runs: Path) -> xr.DataTree:
    """The posterior of one seed, which must pass its own diagnostics."""
    tree = read_tree(
        fit(overridden(read_fit(path), {"seed": seed}), runs) / "posterior.nc"
    )
    diagnostics = diagnose(tree)
    assert diagnostics.passed, diagnostics.verdict
    return tree


def draws(tree: xr.DataTree, name: str) -> np.ndarray:
    return np.asarray(tree["posterior"][name])


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_theophylline(cases: Path, root: Path, tmp_path: Path, seed: int) -> None:
    """Medians within 0.5 SE of Monolix; omegas 0.75 SE; a and b 1 SE."""
    tree = fitted(root / "fits/001-theophylline.toml", seed, tmp_path)
    theirs = reference(cases / "theophylline")["monolix"]
    limits = {
        "ka_pop": ("ka_pop", 0.5),
        "V_pop": ("V_pop", 0.5),
        "Cl_pop": ("CL_pop", 0.5),
        "omega_ka": ("omega_ka", 0.75),
        "omega_V": ("omega_V", 0.75),
        "omega_Cl": ("omega_CL", 0.75),
        "a": ("concentration_additive", 1.0),
        "b": ("concentration_proportional", 1.0),
    }
    for name, (ours, limit) in limits.items():
        z = (np.median(draws(tree, ours)) - theirs[name]["value"]) / theirs[name]["se"]
        print(f"theophylline seed {seed} {name}: z = {z:.3f}, limit {limit}")
        assert abs(z) <= limit, name


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_phenobarbital(cases: Path, root: Path, tmp_path: Path, seed: int) -> None:
    """Means of thetas, medians of variances within 0.75 SE of FOCEI."""
    tree = fitted(root / "fits/002-phenobarbital.toml", seed, tmp_path)
    theirs = reference(cases / "phenobarbital")["nonmem_focei"]
    ours = {
        "CL_per_kg": draws(tree, "CL_pop").mean(),
        "V_per_kg": draws(tree, "V_pop").mean(),
        "V_APGR_lt5": draws(tree, "beta_V_APGR").mean(),
        "omega2_CL": np.median(draws(tree, "omega_CL") ** 2),
        "omega2_V": np.median(draws(tree, "omega_V") ** 2),
        "sigma2_prop": np.median(draws(tree, "concentration_sigma") ** 2),
    }
    for name, value in ours.items():
        z = (value - theirs[name]["value"]) / theirs[name]["se"]
        print(f"phenobarbital seed {seed} {name}: z = {z:.3f}, limit 0.75")
        assert abs(z) <= 0.75, name


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_infusion_covariates(
    cases: Path, root: Path, tmp_path: Path, seed: int
) -> None:
    """Means within 0.15 SD of the NumPyro run or 0.2 SD of NONMEM's NUTS; SDs 10 %."""
    case = cases / "infusion-covariates-bayes"
    path = tmp_path / "bauer.toml"
    path.write_text(BAUER.format(root=root, case=case, prior=FLAT))
    tree = fitted(path, seed, tmp_path)
    found = _bauer(tree)
    known = reference(case)
    for name, value in found.items():
        mine, nonmem = known["own_numpyro"][name], known["nonmem_nuts"][name]
        z = (value.mean() - mine["mean"]) / mine["sd"]
        z_nonmem = (value.mean() - nonmem["value"]) / nonmem["sd"]
        ratio = value.std() / mine["sd"]
        print(f"bauer seed {seed} {name}: z {z:.3f} / {z_nonmem:.3f}, SD {ratio:.3f}")
        assert abs(z) <= 0.15 or abs(z_nonmem) <= 0.2, name
        assert abs(ratio - 1) <= 0.1, name


def _bauer(tree: xr.DataTree) -> dict[str, np.ndarray]:
    """Our draws under the names of the case."""
    sd = {p: draws(tree, f"omega_{p}") for p in ("CL", "V1")}
    covariances = sd["CL"] * sd["V1"] * draws(tree, "corr_CL_V1")
    effects = {
        f"{short}_{column}": draws(tree, f"beta_{ours}_{column}")
        for short, ours in (("CL", "CL"), ("V", "V1"))
        for column in ("WT", "AGE", "SEX")
    }
    return {
        "lnCL": np.log(draws(tree, "CL_pop")),
        "lnV": np.log(draws(tree, "V1_pop")),
        **effects,
        "sigma2": draws(tree, "concentration_sigma") ** 2,
        "omega11": sd["CL"] ** 2,
        "omega21": covariances,
        "omega22": sd["V1"] ** 2,
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_eight_schools(cases: Path, root: Path, tmp_path: Path, seed: int) -> None:
    """|mean - ref|/sd <= 0.05 + 3 sqrt(1/ESS + 1/10000); SDs within 8 %."""
    case = cases / "eight-schools-gold"
    path = tmp_path / "schools.toml"
    path.write_text(SCHOOLS.format(root=root, case=case))
    tree = fitted(path, seed, tmp_path)
    theta = draws(tree, "theta")
    found = {f"theta[{j + 1}]": theta[..., j] for j in range(8)}
    found |= {"mu": draws(tree, "theta_pop"), "tau": draws(tree, "omega_theta")}
    gold = reference(case)["posteriordb"]
    for name, value in found.items():
        z = abs(value.mean() - gold[name]["mean"]) / gold[name]["sd"]
        limit = 0.05 + 3 * np.sqrt(1 / ess_bulk(value) + 1 / 10000)
        ratio = value.std() / gold[name]["sd"]
        print(f"schools seed {seed} {name}: z {z:.3f} <= {limit:.3f}, SD {ratio:.3f}")
        assert z <= limit, name
        assert abs(ratio - 1) <= 0.08, name
