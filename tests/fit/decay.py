"""A drug that decays and a burden that it leaves alone: outcomes by hand."""

from pathlib import Path

MODEL = """\
from typing import NamedTuple
import jax.numpy as jnp
from imak_pkpd.model import AbstractModel, Scalar, parameter

class Body(NamedTuple):
    A: Scalar
    B: Scalar

class Decay(AbstractModel):
    time = "day"
    doses = {"drug": "mg"}
    outputs = {"drug": "mg", "burden": "cells", "chance": ""}
    k: Scalar = parameter("1/day", "loss of drug", "assumed")
    d: Scalar = parameter("1/day", "loss of burden", "assumed")
    b: Scalar = parameter("log10", "burden", "assumed", "identity")
    p: Scalar = parameter("", "chance", "assumed", "logit")
    slow: Scalar = parameter("", "group", "assumed", "identity")

    def initial(self, inputs):
        return Body(jnp.zeros_like(self.k), 10.0**self.b)

    def dose(self, state, name, amount):
        return state._replace(A=state.A + amount)

    def rates(self, t, state, inputs):
        gone = self.k * (1.0 - 0.5 * self.slow) * state.A
        return Body(inputs.infusion["drug"] - gone, -self.d * state.B)

    def observe(self, t, state, inputs):
        return {"drug": state.A, "burden": state.B, "chance": self.p}
"""
FIT = """\
problem = "a drug that decays"
model = "decay.py"
[theta]
k = { median = 0.5, gsd = 1.2 }
d = { median = 0.2, gsd = 1.2 }
b = { median = 2.0, sd = 0.3 }
p = { median = 0.25, sd = 0.5 }
slow = { column = "slow" }
[omega]
b = { fixed = 1.0 }
[cohort.few]
patients = 16
refined = 64
horizon = 10.0
[cohort.few.group]
slow = { share = 0.5 }
[cohort.few.dose]
drug = { times = [0.0], amount = 8.0 }
[cohort.few.strata]
b = [1.0, 2.0]
[estimand]
left = { kind = "value", output = "drug", at = 2.0 }
hurt = { kind = "value", output = "chance", chance = true }
gone = { kind = "crossing", output = "drug", below = 1.0 }
[estimand.low]
kind = "remission"
output = "burden"
visits = [5.0]
below = 40.0
spread = 0.5
[estimand.low_before]
kind = "remission"
output = "burden"
visits = [0.0]
below = 40.0
spread = 0.5
"""
SCENARIOS = """\
[scenario.kept]
title = "the drug stays"
set = { k = 0.0 }
[scenario.slower]
times = { k = 0.5 }
[scenario.more]
add = { b = 1.0 }
[scenario.none]
amounts = { drug = 0.0 }
[scenario.all_slow]
share = { slow = 1.0 }
"""


def write_decay(folder: Path, text: str = FIT + SCENARIOS) -> Path:
    """The fit file, its model beside it."""
    (folder / "decay.py").write_text(MODEL)
    path = folder / "decay.toml"
    path.write_text(text)
    return path
