"""theo, the peers' problem: one oral dose, one compartment.

    depot'   = -ka depot
    central' = ka depot - CL/V central,   concentration = central/V

Amounts are per kilogram of body weight. A linear model: its fit file asks for steps, as
the peers solve an ODE; with method = "closed" the same is solved in closed form.
"""

from typing import NamedTuple

import jax.numpy as jnp

from imak_pkpd.model import AbstractLinear, Inputs, Scalar, parameter


class Amounts(NamedTuple):
    depot: Scalar
    central: Scalar


class Theo(AbstractLinear):
    time = "h"
    doses = {"depot": "mg/kg"}
    outputs = {"concentration": "mg/L"}

    ka: Scalar = parameter("1/h", "absorption rate")
    CL: Scalar = parameter("L/h/kg", "clearance")
    V: Scalar = parameter("L/kg", "volume of distribution")

    def initial(self, inputs: Inputs) -> Amounts:
        zero = jnp.zeros_like(self.ka)
        return Amounts(zero, zero)

    def dose(self, state: Amounts, name: str, amount: Scalar) -> Amounts:
        return state._replace(depot=state.depot + amount)

    def rates(self, t: Scalar, state: Amounts, inputs: Inputs) -> Amounts:
        absorbed = self.ka * state.depot
        return Amounts(-absorbed, absorbed - self.CL / self.V * state.central)

    def observe(self, t: Scalar, state: Amounts, inputs: Inputs) -> dict[str, Scalar]:
        return {"concentration": state.central / self.V}
