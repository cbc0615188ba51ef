"""A small trial with records of a few patients and published facts of others.

One compartment, seen at the moment of its bolus and later. V1 differs between patients
with a known SD: ln of the first concentration is ln dose - theta_V1 - eta + error, and
ln of the cohort's mean peak is ln dose - theta_V1 + a number. With the SD fixed, all is
linear in theta_V1 and normal.
"""

from pathlib import Path

import numpy as np

from imak_pkpd.fit.problem import Problem, read_problem
from imak_pkpd.fit.spec import read_fit

DOSE = 100.0
PEAKS = (7.0, 5.5, 6.2)
ERROR = 0.15  # SD of ln DV
FIT = """
problem = "three patients, and a published peak of others"
model = "{root}/models/pk1_iv.py"
[data]
file = "three.csv"
time = "h"
inputs = {{ 1 = "central" }}
synthetic = true
[output.concentration]
unit = "mg/L"
error = "lognormal"
sigma = {{ fixed = 0.15 }}
[theta]
CL = {{ median = 5.0, gsd = 1.3 }}
V1 = {{ median = 20.0, gsd = 1.5 }}
[omega]
V1 = {{ {omega} }}
[cohort.trial]
patients = 16
refined = 16
horizon = 4.0
tolerance = 1e-6
[cohort.trial.dose]
central = {{ times = [0.0], amount = {amount} }}
[estimand]
top = {{ kind = "value", output = "concentration", at = 0.0 }}
late = {{ kind = "value", output = "concentration", at = 4.0 }}
[evidence.peak]
kind = "normal"
value = 8.0
sd = 0.2
scale = "log"
of = "top"
cohort = "trial"
alternatives = ["late"]
[evidence.trough]
kind = "normal"
value = 2.0
sd = 0.3
scale = "log"
of = "late"
cohort = "trial"
use = {trough}
[estimation]
seed = 3
"""
FIXED = "fixed = 0.25"
FREE = "median = 0.25, gsd = 1.3"


def write_joint(
    root: Path,
    folder: Path,
    omega: str = FIXED,
    amount: str = "100.0",
    trough: bool = False,
    later: bool = False,
) -> Path:
    """The fit file beside its data; `later` adds a second sample of each patient."""
    rows = ["ID,TIME,AMT,DV,EVID,CMT"]
    for number, peak in enumerate(PEAKS, 1):
        rows += [f"{number},0,{DOSE},.,1,1", f"{number},0,.,{peak},0,."]
        if later:
            rows.append(f"{number},3,.,{0.5 * peak},0,.")
    (folder / "three.csv").write_text("\n".join(rows) + "\n")
    path = folder / "joint.toml"
    used = str(trough).lower()
    path.write_text(FIT.format(root=root, omega=omega, amount=amount, trough=used))
    return path


def joint_problem(root: Path, folder: Path, **known: object) -> Problem:
    return read_problem(read_fit(write_joint(root, folder, **known)))  # type: ignore


def on_paper(normals: np.ndarray, fact: bool = True) -> tuple[float, float]:
    """Posterior mean and SD of theta_V1, given the cohort's standard normals of V1."""
    own = np.hypot(0.25, ERROR)  # of ln DV around theta_V1
    known = [(np.log(20.0), np.log(1.5))] + [(np.log(DOSE / p), own) for p in PEAKS]
    if fact:
        shift = np.log(np.mean(np.exp(-0.25 * normals)))
        known.append((np.log(DOSE / 8.0) + shift, 0.2))
    centre, sd = np.array(known).T
    precision = sd**-2
    return float(precision @ centre / precision.sum()), float(precision.sum() ** -0.5)
