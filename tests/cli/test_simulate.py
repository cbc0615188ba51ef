"""`imak simulate`: a patient file that its own fit can read, and never overwrites."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from imak_pkpd.data import check_file

Imak = Callable[..., Any]  # the fixtures of conftest.py
FIT = """problem = "one bolus"
model = "{root}/models/pk1_iv.py"
[data]
file = "bolus.csv"
time = "h"
inputs = {{ 1 = "central" }}
[output.concentration]
unit = "mg/L"
error = "lognormal"
sigma = {{ fixed = 0.1 }}
[theta]
CL = {{ median = 5.0, gsd = 2.0 }}
V1 = {{ fixed = 20.0 }}
"""
COHORT = """subjects = 3
[dose.central]
times = [0.0]
amount = 100.0
duration = 0.5
[sample.concentration]
times = [1.0, 4.0]
lloq = 0.5
[truth]
CL_pop = 6.0
"""


def test_simulate(inside: Imak, root: Path, tmp_path: Path) -> None:
    """The cohort file lies beside the data file that it makes, under the same name."""
    (tmp_path / "fit.toml").write_text(FIT.format(root=root))
    (tmp_path / "bolus.toml").write_text(COHORT)
    words = ("simulate", "fit.toml", "--seed", "3", "--out", "bolus.csv")
    first = inside(*words, cwd=tmp_path)
    assert (first.code, first.error) == (0, "")
    assert "9 rows of synthetic patients, seed 3" in first.output
    made = (tmp_path / "bolus.csv").read_text()
    assert made.splitlines()[1] == "synthetic-1,0,1,100,200,1,.,.,0,."
    assert check_file(tmp_path / "bolus.csv").findings == ()
    again = inside(*words, cwd=tmp_path)
    assert again.code == 2
    assert "bolus.csv exists" in again.error
    assert (tmp_path / "bolus.csv").read_text() == made
