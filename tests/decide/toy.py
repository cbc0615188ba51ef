"""Two drugs whose responses are log-normal: every utility here has its answer on paper.

A dose stays: response = dose * s, s = exp(theta + omega z) for each patient, so that
E[s^n] = exp(n theta + n^2 omega^2 / 2).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from imak_pkpd.decide.decision import decision_of
from imak_pkpd.decide.designs import Treated, layouts, treated
from imak_pkpd.decide.evaluate import Batch, batches
from imak_pkpd.fit.problem import read_model
from imak_pkpd.fit.spec import FitSpec, read_fit
from imak_pkpd.model import AbstractModel

MODEL = """\
from typing import NamedTuple
import jax.numpy as jnp
from imak_pkpd.model import AbstractModel, Scalar, parameter

class Given(NamedTuple):
    a: Scalar
    b: Scalar

class Toy(AbstractModel):
    time = "day"
    doses = {"a": "mg", "b": "mg"}
    outputs = {"gain": "", "harm": "", "kept": "mg"}
    s: Scalar = parameter("1/mg", "response to a", "assumed")
    r: Scalar = parameter("1/mg", "response to b", "assumed")

    def initial(self, inputs):
        return Given(jnp.zeros_like(self.s), jnp.zeros_like(self.r))

    def dose(self, state, name, amount):
        return state._replace(**{name: getattr(state, name) + amount})

    def rates(self, t, state, inputs):
        return Given(0.0 * state.a, -1.0 * state.b)

    def observe(self, t, state, inputs):
        return {"gain": self.s * state.a, "harm": self.r * state.b, "kept": state.b}
"""
FIT = """\
problem = "responses that are log-normal"
model = "toy.py"
[theta]
s = { median = 0.1, gsd = 1.2 }
r = { median = 0.2, gsd = 1.2 }
[omega]
s = { fixed = 0.3 }
r = { fixed = 0.2 }
[cohort.trial]
patients = 16
horizon = 8.0
[cohort.trial.group]
odd = { share = 0.5 }
[cohort.trial.dose]
a = { times = [0.0], amount = 3.0 }
b = { times = [0.0], amount = 3.0 }
[estimand]
gain = { kind = "value", output = "gain", at = 0.0, dose = "a" }
harm = { kind = "value", output = "harm", at = 0.0, dose = "b" }
gone = { kind = "crossing", output = "kept", below = 1.0, dose = "b" }
"""

LEVELS = """
[decision]
cohort = "trial"
utility = "gain - 0.5*harm"
draws = 4
patients = 16
batches = 4
[decision.amount]
a = { levels = [1.0, 2.0] }
b = { levels = [2.0, 4.0] }
"""
"""A decision between four designs, with nothing between them."""


def toy_spec(folder: Path, decision: str, fit: str = FIT, name: str = "toy") -> FitSpec:
    (folder / "toy.py").write_text(MODEL)
    (folder / f"{name}.toml").write_text(fit + decision)
    return read_fit(folder / f"{name}.toml")


def toy(folder: Path, decision: str, model: str = MODEL) -> tuple[Treated, list[Batch]]:
    """The first layout, and its batches."""
    spec = toy_spec(folder, decision)
    spec.model.write_text(model)
    block, kind, sites = decision_of(spec), read_model(spec), toy_sites()
    assert issubclass(kind, AbstractModel)
    made = treated(spec, block, kind, next(layouts(block)), sites)
    return made, batches(made, block, sites)


def toy_sites(draws: int = 40, seed: int = 1) -> dict[str, np.ndarray]:
    """Draws of what patients share: theta ~ N(ln median, 0.1)."""
    rng = np.random.default_rng(seed)
    return {
        "theta_s": rng.normal(np.log(0.1), 0.1, draws),
        "theta_r": rng.normal(np.log(0.2), 0.1, draws),
        "trial_a_amount": np.full(draws, 3.0),
        "trial_b_amount": np.full(draws, 3.0),
    }


def responses(some: Sequence[Batch]) -> tuple[np.ndarray, np.ndarray]:
    """s and r of every draw and patient, [batch, draw, patient]."""
    found = []
    for batch in some:
        z = batch.patients.normals
        s = np.exp(batch.sites["theta_s"][:, None] + 0.3 * z[:, 0])
        r = np.exp(batch.sites["theta_r"][:, None] + 0.2 * z[:, 1])
        found.append((s, r))
    s, r = (np.stack(each) for each in zip(*found, strict=True))
    return s, r
