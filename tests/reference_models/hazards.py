"""Hazards with a known law: Gompertz rising and falling (a cure), Weibull, constant.

    h' = g h    h' = -c h    h = shape/s (t/s)^(shape - 1)    h = r

Reference: Cox & Oakes 1984, Analysis of Survival Data, ch. 2.
"""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import jax.numpy as jnp

from imak_pkpd.model import AbstractModel, Inputs, Scalar, parameter


class Rates(NamedTuple):
    """Two hazards that are states."""

    rising: Scalar
    falling: Scalar


class Hazards(AbstractModel):
    """h' = g h, h' = -c h, h = shape/s (t/s)^(shape - 1), h = r."""

    time = "day"
    doses: ClassVar[Mapping[str, str]] = {}
    outputs = {
        "gompertz": "1/day",
        "cured": "1/day",
        "weibull": "1/day",
        "constant": "1/day",
    }
    b: Scalar = parameter("1/day", "hazard at time 0")
    g: Scalar = parameter("1/day", "how fast it rises")
    c: Scalar = parameter("1/day", "how fast it falls")
    shape: Scalar = parameter("", "shape of Weibull's law")
    s: Scalar = parameter("day", "its scale")
    r: Scalar = parameter("1/day", "a hazard that stays")

    def initial(self, inputs: Inputs) -> Rates:
        return Rates(self.b, self.b)

    def dose(self, state: Rates, name: str, amount: Scalar) -> Rates:
        return state

    def rates(self, t: Scalar, state: Rates, inputs: Inputs) -> Rates:
        return Rates(self.g * state.rising, -self.c * state.falling)

    def observe(self, t: Scalar, state: Rates, inputs: Inputs) -> Mapping[str, Scalar]:
        # a power of 0 has no derivative by its exponent
        age = jnp.maximum(t, 1e-6) / self.s
        return {
            "gompertz": state.rising,
            "cured": state.falling,
            "weibull": self.shape / self.s * age ** (self.shape - 1),
            "constant": self.r,
        }
