"""A state that grows with TIME itself: what an autonomous model cannot show.

    amount' = SLOPE t + infusion

From t0 to t it gains SLOPE (t^2 - t0^2) / 2, elementary calculus.
Reference: none is needed; the closed form above is the test.
"""

from collections.abc import Mapping
from typing import NamedTuple

from imak_pkpd.model import AbstractModel, Inputs, Scalar, parameter


class Amount(NamedTuple):
    amount: Scalar


class TimeInRates(AbstractModel):
    time = "h"
    doses = {"input": "mg"}
    outputs = {"amount": "mg"}

    SLOPE: Scalar = parameter("mg/h/h", "growth of the rate")

    def initial(self, inputs: Inputs) -> Amount:
        return Amount(0.0)

    def dose(self, state: Amount, name: str, amount: Scalar) -> Amount:
        return Amount(state.amount + amount)

    def rates(self, t: Scalar, state: Amount, inputs: Inputs) -> Amount:
        return Amount(self.SLOPE * t + inputs.infusion["input"])

    def observe(self, t: Scalar, state: Amount, inputs: Inputs) -> Mapping[str, Scalar]:
        return {"amount": state.amount}
