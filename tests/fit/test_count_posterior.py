"""A binary case through the whole pipeline, against adaptive quadrature (lme4).

Limits are those of the case's `[checks]`.
"""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import gaussian_kde

from imak_pkpd.check.convergence import diagnose
from imak_pkpd.fit.fit import fit
from imak_pkpd.fit.spec import read_fit
from imak_pkpd.fit.tree import read_tree

BACTERIA = """
problem = "Carriage of H. influenzae"
model = "{root}/tests/reference_models/carriage.py"

[data]
file = "{case}/data.csv"
time = "week"
covariates = {{ DRUG = "constant", DRUGP = "constant", WK2 = "locf" }}

[output.present]
unit = "probability"
error = "bernoulli"

[theta]
b0 = {{ dist = "Normal", loc = 0, scale = 5 }}
b1 = {{ dist = "Normal", loc = 0, scale = 5 }}
b2 = {{ dist = "Normal", loc = 0, scale = 5 }}
b3 = {{ dist = "Normal", loc = 0, scale = 5 }}

[omega]
b0 = {{ dist = "HalfNormal", scale = 3, form = "z" }}

[estimation]
warmup = 500
draws = 2500
"""


@pytest.mark.slow
def test_bacteria(cases: Path, root: Path, tmp_path: Path) -> None:
    case = cases / "binary-bacteria"
    path = tmp_path / "bacteria.toml"
    path.write_text(BACTERIA.format(root=root, case=case))
    tree = read_tree(fit(read_fit(path), tmp_path / "runs") / "posterior.nc")
    diagnostics = diagnose(tree)
    assert diagnostics.passed, diagnostics.verdict
    said = tomllib.loads((case / "reference.toml").read_text())["reference"][0]
    theirs = said["estimates"]
    drawn = tree["posterior"]
    for name in ("b0", "b1", "b2", "b3"):
        median = float(np.median(drawn[f"{name}_pop"]))
        z = (median - theirs[name]["value"]) / theirs[name]["se"]
        print(f"bacteria {name}: z = {z:.3f}, limit 0.35")
        assert abs(z) <= 0.35, name
    omega = np.asarray(drawn["omega_b0"]).ravel()
    grid = np.linspace(0.0, 4.0, 401)
    mode = grid[gaussian_kde(omega)(grid).argmax()]
    print(f"bacteria omega: mode {mode:.3f}, lme4 {theirs['omega']['value']:.3f}")
    assert abs(mode - theirs["omega"]["value"]) <= 0.25
