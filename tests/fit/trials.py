"""Three small trials that between them have every kind of parameter.

`DOSING`    closed form: lag, F, rate, duration, resets, steady states; etas z, centred
            and as deviations; scales log, logit and identity; combined error.
`CAPACITY`  an ODE on the mesh (saturable elimination), with the same dosing; SDs and
            correlation from an inverse-Wishart; additive error; every censoring.
`COVARIATE` closed form: power, exponential, categorical, linear and indicator effects,
            weight changing in time; LKJ-correlated etas; variances; log-normal error.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.fit.posterior import effect_forms, population_model
from imak_pkpd.fit.problem import Problem, read_problem
from imak_pkpd.fit.spec import read_fit
from imak_pkpd.fit.target import Target, target
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing
from imak_pkpd.solve.stepper import AbstractStepper

MODELS = Path(__file__).parents[1] / "reference_models"
STEP = 0.25  # h; sub-steps of the ODE, far finer than its rates of 1/h need

Row = Mapping[str, object]
Subject = Sequence[Row]


class Text(NamedTuple):
    """A fit file and the subjects of its data file."""

    fit: str
    subjects: Sequence[Subject]


class Trial(NamedTuple):
    """A problem as read, its mesh, and its density with the arguments."""

    problem: Problem
    mesh: Mesh
    density: Target

    @property
    def args(self) -> tuple[Schedule, Mesh]:
        return jax.tree.map(jnp.asarray, (self.problem.schedule, self.mesh))


def given(time: float, amount: float, cmt: int = 2, **items: object) -> Row:
    """A dose record."""
    return {"TIME": time, "EVID": 1, "AMT": amount, "CMT": cmt, **items}


def reset(time: float) -> Row:
    return {"TIME": time, "EVID": 3, "CMT": 2}


def seen(*points: tuple[float, float], **items: object) -> list[Row]:
    """Observations: (TIME, DV)."""
    return [{"TIME": t, "EVID": 0, "DV": dv, **items} for t, dv in points]


def in_time(*rows: Row) -> Subject:
    return sorted(rows, key=lambda row: float(str(row["TIME"])))


PASSED = in_time(  # a lag may pass observations, doses and the resets at 6 and 12 h
    given(0.0, 100.0),
    given(2.0, 30.0, 1),
    given(5.0, 60.0),
    reset(6.0),
    given(7.0, 40.0, 1),
    given(12.0, 80.0, EVID=4),
    *seen((0.6, 2.1), (1.2, 5.0), (2.6, 7.7), (4.0, 5.0), (6.4, 0.4), (8.1, 3.0)),
    *seen((12.7, 1.1), (13.6, 4.0), (16.0, 3.6)),
)
INFUSED = in_time(  # rate fixed, modelled, duration modelled, fixed; two overlap
    given(0.0, 60.0, RATE=20.0),
    given(1.0, 80.0, RATE=-1),
    given(8.0, 50.0, RATE=-2),
    given(14.0, 40.0, RATE=-2, ADDL=1, II=5.0),
    given(16.0, 30.0, 1, RATE=10.0),
    *seen((1.6, 2.0), (3.3, 4.0), (5.2, 4.6), (7.9, 3.0), (9.7, 3.4), (12.2, 4.0)),
    *seen((15.1, 3.0), (17.7, 4.4), (24.0, 2.0)),
)
STEADY = in_time(  # SS = 1 with ADDL, then SS = 2 on top
    given(0.0, 50.0, SS=1, II=12.0, ADDL=1),
    given(14.0, 30.0, SS=2, II=24.0),
    *seen((0.4, 2.0), (2.2, 4.0), (6.0, 2.6), (11.1, 1.4), (12.6, 2.0), (15.2, 4.9)),
    *seen((17.3, 3.5), (26.0, 1.9)),
)
STEADY_INFUSED = in_time(  # steady infusions: rate fixed, duration modelled, constant
    given(0.0, 40.0, RATE=16.0, SS=1, II=10.0),
    given(20.0, 0.0, RATE=3.0, SS=1),
    given(23.0, 40.0, RATE=-2, SS=1, II=8.0),
    *seen((0.7, 1.0), (3.1, 3.0), (8.0, 1.9), (20.6, 1.4), (22.2, 1.2), (24.6, 2.0)),
    *seen((27.1, 2.7), (31.0, 2.0)),
)
RESTARTED = [  # TIME restarts at EVID 4
    given(0.0, 70.0, 1),
    *seen((1.1, 5.5), (5.0, 3.0)),
    given(0.0, 70.0, EVID=4),
    *seen((0.9, 2.0), (1.9, 4.4), (6.0, 2.9)),
]

DOSING = Text(
    """
problem = "every dosing parameter"
model = "MODELS/dosing_parameters.py"
[data]
file = "data.csv"
time = "h"
inputs = { 1 = "direct", 2 = "central" }
[output.concentration]
unit = "mg/L"
error = "combined1"
additive = { median = 0.4, gsd = 1.5 }
proportional = { median = 0.3, gsd = 1.5 }
[theta]
CL = { median = 2.0, gsd = 1.5 }
V = { median = 10.0, gsd = 1.5 }
BASE = { median = 0.2, sd = 0.2 }
TLAG = { median = 0.9, gsd = 2.5 }
BIO = { median = 0.7, sd = 1.0 }
RATE = { median = 20.0, gsd = 1.5 }
LAST = { median = 3.0, gsd = 1.5 }
[omega]
CL = { median = 0.3, gsd = 1.5, form = "z" }
V = { median = 0.3, gsd = 1.5, form = "centred" }
BASE = { median = 0.1, gsd = 1.5, form = "deviation" }
TLAG = { median = 0.3, gsd = 1.5, form = "deviation" }
BIO = { median = 0.3, gsd = 1.5, form = "z" }
RATE = { median = 0.3, gsd = 1.5, form = "z" }
LAST = { median = 0.3, gsd = 1.5, form = "z" }
""",
    [PASSED, INFUSED, STEADY, STEADY_INFUSED, RESTARTED],
)

CENSORED = in_time(
    given(0.0, 90.0),
    *seen((1.9, 6.0), (4.2, 4.1)),
    *seen((2.8, 5.0), CENS=-1),
    *seen((10.0, 0.5), CENS=1),
    *seen((14.0, 0.5), CENS=1, LIMIT=0.1),
)
CAPACITY = Text(
    """
problem = "saturable elimination"
model = "MODELS/michaelis_menten.py"
[data]
file = "data.csv"
time = "h"
inputs = { 1 = "depot", 2 = "central" }
[output.concentration]
unit = "mg/L"
error = "additive"
sigma = { median = 0.6, gsd = 1.5 }
[theta]
KA = { median = 1.0, gsd = 1.5 }
VM = { median = 7.0, gsd = 1.6 }  # at times too little for a steady state
KM = { median = 3.0, gsd = 1.5 }
V = { median = 10.0, gsd = 1.4 }
BASE = { fixed = 0.1 }
TLAG = { median = 0.9, gsd = 2.5 }
BIO = { median = 0.7, sd = 1.0 }
RATE = { median = 20.0, gsd = 1.5 }
LAST = { median = 3.0, gsd = 1.5 }
[omega]
KA = { median = 0.3, gsd = 1.5, form = "z" }
TLAG = { median = 0.3, gsd = 1.5, form = "deviation" }
covariance = { parameters = ["VM", "V"], dist = "InverseWishart", df = 8, scale = [0.5, 0.5] }
""",  # noqa: E501
    [PASSED, INFUSED, STEADY, STEADY_INFUSED, CENSORED],
)


def _person(
    weight: Sequence[float], sex: str, age: float, shift: float
) -> list[dict[str, object]]:
    """Two oral doses and six observations; the weight changes with the rows."""
    rows = in_time(
        given(0.0, 100.0, 1, ADDL=1, II=24.0),
        *seen((1.0 + shift, 2500.0), (4.0, 4100.0), (12.0, 2000.0)),
        *seen((26.0 + shift, 5000.0), (36.0, 2500.0), (48.0, 1100.0)),
    )
    heavy = np.interp(np.arange(len(rows)), [0, len(rows) - 1], weight).round(1)
    return [
        {**row, "WT": w, "SEX": sex, "AGE": age}
        for row, w in zip(rows, heavy.tolist(), strict=True)
    ]


COVARIATE = Text(
    """
problem = "covariates and correlated etas"
model = "MODELS/weight_in_rates.py"
[data]
file = "data.csv"
time = "h"
inputs = { 1 = "depot" }
covariates = { WT = "locf", SEX = "constant", AGE = "constant" }
[output.concentration]
unit = "ug/L"
error = "lognormal"
sigma = { median = 0.09, gsd = 1.5, of = "variance" }
[theta]
KA = { median = 1.0, gsd = 1.5 }
CL = { median = 2.0, gsd = 1.5 }
V = { median = 20.0, gsd = 1.5 }
[omega]
KA = { median = 0.09, gsd = 1.5, of = "variance" }
CL = { median = 0.3, gsd = 1.5 }
V = { median = 0.3, gsd = 1.5 }
correlation = { parameters = ["CL", "V"], lkj = 2.0 }
[covariate.V]
WT = { form = "power", reference = 70.0, exponent = { median = 1.0, sd = 0.3 } }
[covariate.CL]
AGE = { form = "exponential", reference = 40.0, slope = { median = 0.0, sd = 0.01 } }
SEX = { form = "categorical", reference = "F", effect = { M = { median = 0.0, sd = 0.3 } } }
[covariate.KA]
AGE = { form = "linear", reference = 40.0, slope = { median = 0.0, sd = 0.005 } }
old = { column = "AGE", form = "indicator", above = 60.0, effect = { median = 0.0, sd = 0.2 } }
""",  # noqa: E501
    [
        _person([60.0, 63.0], "F", 30.0, 0.0),
        _person([80.0, 80.0], "M", 65.0, 0.3),
        _person([95.0, 90.0], "M", 45.0, 0.1),
        _person([70.0, 74.0], "F", 72.0, 0.5),
        _person([55.0, 55.0], "F", 52.0, 0.2),
    ],
)


TRIALS = {
    "dosing": (DOSING, None),
    "capacity": (CAPACITY, STEP),
    "covariate": (COVARIATE, None),
}
"""Each with the length of its sub-steps."""

SMALL = {
    "small": (Text(CAPACITY.fit, [PASSED, INFUSED, CENSORED]), STEP),
}
"""An ODE with moving arrivals and resets, but no steady state: quick to compile."""


def problem_of(text: Text, folder: Path) -> Problem:
    """The trial written to `folder` and read again."""
    columns = dict.fromkeys(
        key for subject in text.subjects for row in subject for key in row
    )
    with (folder / "data.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["ID", *columns], restval=".")
        table.writeheader()
        for number, subject in enumerate(text.subjects, start=1):
            table.writerows({"ID": number, **row} for row in subject)
    path = folder / "fit.toml"
    path.write_text(text.fit.replace("MODELS", str(MODELS)))
    return read_problem(read_fit(path))


def mesh_of(problem: Problem, step: float | None = STEP) -> Mesh:
    """The events and equal sub-steps."""
    schedule = problem.schedule
    ends = zip(np.asarray(schedule.begin), np.asarray(schedule.end), strict=True)
    extra = [np.arange(begin, end, step) for begin, end in ends] if step else None
    return build_mesh(schedule, declared_dosing(problem.model), extra)  # type: ignore[arg-type]


def density_of(
    problem: Problem, mesh: Mesh, stepper: AbstractStepper | None = None
) -> Target:
    forms = effect_forms(problem.spec, problem.schedule)
    function = population_model(problem.spec, problem.model, forms, stepper)
    return target(function, jax.tree.map(jnp.asarray, (problem.schedule, mesh)))


def make_trial(text: Text, folder: Path, step: float | None = None) -> Trial:
    problem = problem_of(text, folder)
    mesh = mesh_of(problem, step)
    return Trial(problem, mesh, density_of(problem, mesh))
