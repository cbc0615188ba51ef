"""A drug that is absorbed, distributed and eliminated, and a slow effect of it.

    gut'     = -ka gut
    central' = ka gut - (k + out) central + back outer
    outer'   = out central - back outer
    effect'  = central - slow effect

All of it is linear, so that a matrix exponential knows the answer; the drug is declared
to be solved in closed form. Reference: Gibaldi & Perrier, Pharmacokinetics, 2nd ed.
1982, chapter 2 (two compartments with absorption).
"""

from typing import ClassVar, NamedTuple

import jax.numpy as jnp

from imak_pkpd.model import AbstractModel, Inputs, Scalar, parameter

SLOW = 0.1  # 1/h


class Amounts(NamedTuple):
    gut: Scalar
    central: Scalar
    outer: Scalar
    effect: Scalar


class Absorbed(AbstractModel):
    """A drug that is absorbed, distributed and eliminated, and an effect of it."""

    time = "h"
    doses = {"gut": "mg"}
    outputs = {"effect": "1"}
    forcing: ClassVar[tuple[tuple[str, ...], ...]] = (("gut", "central", "outer"),)

    ka: Scalar = parameter("1/h", "absorption")
    k: Scalar = parameter("1/h", "elimination")
    out: Scalar = parameter("1/h", "distribution")
    back: Scalar = parameter("1/h", "redistribution")

    def initial(self, inputs: Inputs) -> Amounts:
        return Amounts(*4 * [jnp.zeros_like(self.ka)])

    def dose(self, state: Amounts, name: str, amount: Scalar) -> Amounts:
        return state._replace(gut=state.gut + amount)

    def rates(self, t: Scalar, state: Amounts, inputs: Inputs) -> Amounts:
        gut, central, outer, effect = state
        gone = (self.k + self.out) * central
        return Amounts(
            gut=inputs.infusion["gut"] - self.ka * gut,
            central=self.ka * gut - gone + self.back * outer,
            outer=self.out * central - self.back * outer,
            effect=central - SLOW * effect,
        )

    def observe(self, t: Scalar, state: Amounts, inputs: Inputs) -> dict[str, Scalar]:
        return {"effect": state.effect}
