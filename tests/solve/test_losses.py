"""A gain and a loss that do not change are crossed exactly, however long the step."""

from typing import ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from imak_pkpd.model import AbstractModel, Inputs, Scalar
from imak_pkpd.solve.split import Split
from imak_pkpd.solve.stepper import Crossing

GAIN = 5.0


class Pool(NamedTuple):
    x: Scalar


class Filling(AbstractModel):
    time = "day"
    doses: ClassVar[dict] = {}
    outputs: ClassVar[dict] = {}
    loss: Scalar
    change: Scalar

    def initial(self, inputs: Inputs) -> Pool:
        return Pool(jnp.asarray(1.0))

    def dose(self, state: Pool, name: str, amount: Scalar) -> Pool:
        return state

    def rates(self, t: Scalar, state: Pool, inputs: Inputs) -> Pool:
        return Pool(GAIN + self.change * t - self.loss * state.x)

    def losses(self, state: Pool) -> dict[str, Scalar]:
        return {"x": self.loss}

    def observe(self, t: Scalar, state: Pool, inputs: Inputs) -> dict[str, Scalar]:
        return {}


def crossed(loss: float, change: float, h: float) -> float:
    """x after one step from 1."""
    model = Filling(jnp.asarray(loss), jnp.asarray(change))
    crossing = Crossing(model, lambda t: Inputs({}, {}), lambda y: Pool(y[0]))
    step = Split()(crossing, jnp.asarray(0.0), jnp.ones(1), jnp.asarray(h))
    return float(step.state[0])


@pytest.mark.parametrize("h", [0.0, 1e-9, 0.3, 40.0])
@pytest.mark.parametrize("loss", [2.0, 1e-7, 0.0, -0.4])
def test_steady_gains_are_exact(loss: float, h: float) -> None:
    """To rounding: x = gain/loss + (1 - gain/loss) e^(-loss h); x = 1 + gain h at 0."""
    filled = h if loss == 0 else -np.expm1(-loss * h) / loss
    expected = np.exp(-loss * h) + GAIN * filled
    np.testing.assert_allclose(crossed(loss, 0.0, h), expected, rtol=1e-13)


@pytest.mark.parametrize("h", [0.8, 0.4, 0.2, 0.1])
def test_a_gain_that_changes_is_of_high_order(h: float) -> None:
    """x' = 5 + t - 2 x: the error of one step is below 5e-5 h^5."""
    a, b = 1 / 2.0, (GAIN - 1 / 2.0) / 2.0  # the particular solution a t + b
    expected = a * h + b + (1 - b) * np.exp(-2 * h)
    assert abs(crossed(2.0, 1.0, h) - expected) < 5e-5 * h**5
