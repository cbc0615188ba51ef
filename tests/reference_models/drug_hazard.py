"""A hazard that a drug drives: one compartment, a bolus that arrives late.

    A' = -ke A, h = q A

The integral of h to t is q D (1 - exp(-ke (t - lag)))/ke.

Reference: one compartment; Gibaldi & Perrier 1982, Pharmacokinetics, ch. 1.
"""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import jax.numpy as jnp

from imak_pkpd.model import AbstractLinear, Dosing, Inputs, Scalar, parameter


class Amount(NamedTuple):
    """In the body."""

    central: Scalar


class DrugHazard(AbstractLinear):
    """A' = -ke A, h = q A."""

    time = "day"
    doses: ClassVar[Mapping[str, str]] = {"drug": "mg"}
    outputs: ClassVar[Mapping[str, str]] = {"harm": "1/day"}
    ke: Scalar = parameter("1/day", "elimination")
    q: Scalar = parameter("1/mg/day", "hazard per amount")
    lag: Scalar = parameter("day", "until the dose arrives")

    def initial(self, inputs: Inputs) -> Amount:
        return Amount(jnp.zeros(()))

    def dosing(self, name: str) -> Dosing:
        return Dosing(lag=self.lag)

    def dose(self, state: Amount, name: str, amount: Scalar) -> Amount:
        return Amount(state.central + amount)

    def rates(self, t: Scalar, state: Amount, inputs: Inputs) -> Amount:
        return Amount(-self.ke * state.central)

    def observe(self, t: Scalar, state: Amount, inputs: Inputs) -> Mapping[str, Scalar]:
        return {"harm": self.q * state.central}
