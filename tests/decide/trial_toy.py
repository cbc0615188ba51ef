"""A trial whose chances are parameters: everything that it shows has a closed form.

Patients who get b answer with the chance p1, others with p0; what is kept of a falls
at the rate k, so that it is below 1 after ln(10)/k; gain is s, which is log-normal.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from imak_pkpd.decide.trial.simulate import Trials, simulate_trials
from imak_pkpd.fit.problem import read_model
from imak_pkpd.fit.record import new_record
from imak_pkpd.fit.run import POSTERIOR, create_run, update_record
from imak_pkpd.fit.spec import FitSpec, read_fit
from imak_pkpd.fit.tree import build_tree, posterior_group, write_tree
from imak_pkpd.model import AbstractModel

MODEL = """\
from typing import NamedTuple
import jax.numpy as jnp
from imak_pkpd.model import AbstractModel, Scalar, parameter

class Given(NamedTuple):
    a: Scalar
    b: Scalar

class Answers(AbstractModel):
    time = "day"
    doses = {"a": "mg", "b": "mg"}
    outputs = {"yes": "", "gain": "", "kept": "mg"}
    p0: Scalar = parameter("", "chance without b", "made up", scale="identity")
    p1: Scalar = parameter("", "chance with b", "made up", scale="identity")
    s: Scalar = parameter("", "gain", "made up")
    k: Scalar = parameter("1/day", "loss of a", "made up")

    def initial(self, inputs):
        return Given(jnp.zeros_like(self.s), jnp.zeros_like(self.s))

    def dose(self, state, name, amount):
        return state._replace(**{name: getattr(state, name) + amount})

    def rates(self, t, state, inputs):
        return Given(-self.k * state.a, 0.0 * state.b)

    def observe(self, t, state, inputs):
        yes = self.p0 * (1.0 - state.b) + self.p1 * state.b
        return {"yes": yes, "gain": self.s * (1.0 + state.b), "kept": state.a}
"""
FIT = """\
problem = "answers with known chances"
model = "answers.py"
[theta]
p0 = { median = 0.3, sd = 0.1 }
p1 = { median = 0.6, sd = 0.1 }
s = { median = 2.0, gsd = 1.2 }
k = { median = 0.5, gsd = 1.2 }
[omega]
s = { fixed = 0.3 }
k = { fixed = 0.4 }
[cohort.trial]
patients = 16
horizon = 20.0
[cohort.trial.group]
treated = { share = 0.5 }
[cohort.trial.dose]
a = { times = [0.0], amount = 10.0 }
b = { times = [0.0], amount = 1.0, group = "treated" }
[estimand]
yes = { kind = "value", output = "yes", at = 4.0, dose = "a", chance = true }
gain = { kind = "value", output = "gain", at = 4.0, dose = "a" }
gone = { kind = "crossing", output = "kept", below = 1.0, dose = "a" }
soon = { kind = "crossing", output = "kept", below = 1.0, dose = "a", horizon = 2.0 }
"""
ARMS = """
[trial.arm.without]
group = { treated = 0.0 }
[trial.arm.with]
group = { treated = 1.0 }
"""


def trial_text(endpoint: str, top: str = "", arms: str = ARMS) -> str:
    """A [trial] of 20 patients in each arm, with one endpoint or several."""
    return f'[trial]\ncohort = "trial"\nsize = 20\n{top}{arms}{endpoint}'


def answers_spec(folder: Path, trial: str) -> FitSpec:
    (folder / "answers.py").write_text(MODEL)
    (folder / "answers.toml").write_text(FIT + trial)
    return read_fit(folder / "answers.toml")


def answers_sites(
    draws: int, p0: np.ndarray | float = 0.3, p1: np.ndarray | float = 0.6
) -> dict[str, np.ndarray]:
    return {
        "theta_p0": np.broadcast_to(np.asarray(p0), (draws,)),
        "theta_p1": np.broadcast_to(np.asarray(p1), (draws,)),
        "theta_s": np.full(draws, np.log(2.0)),
        "theta_k": np.full(draws, np.log(0.5)),
        "trial_a_amount": np.full(draws, 10.0),
        "trial_b_amount": np.full(draws, 1.0),
    }


def answers_trials(folder: Path, trial: str, sites: Mapping[str, np.ndarray]) -> Trials:
    spec = answers_spec(folder, trial)
    model = read_model(spec)
    assert issubclass(model, AbstractModel)
    assert spec.trial is not None
    return simulate_trials(spec, spec.trial, model, sites)


def answers_run(folder: Path, trial: str, sites: Mapping[str, np.ndarray]) -> Path:
    """A finished run with these draws."""
    spec = answers_spec(folder, trial)
    known = new_record(spec.path, spec.model, None, spec.estimation.model_dump())
    run = create_run(known, folder / "runs")
    groups = {"posterior": posterior_group({n: v[None] for n, v in sites.items()}, 1)}
    attributes = {"settings": str(spec), "fit_sha256": spec.sha256}
    write_tree(build_tree(groups, {}, attributes), run / POSTERIOR)
    update_record(run, status="finished")
    return run
