"""friberg, the peers' problem: a cytotoxic drug and the neutrophils that it depletes.

    gut'     = -ka gut
    central' = ka gut - (CL + Q)/V1 central + Q/V2 outer
    outer'   = Q/V1 central - Q/V2 outer
    stem'    = ktr stem ((1 - alp C) (C0/blood)^gam - 1),   C = central/V1
    a' = ktr (stem - a), b' = ktr (a - b), c' = ktr (b - c), blood' = ktr (c - blood)

ktr = 4/MTT. Reference: Friberg et al. 2002, 10.1200/JCO.2002.02.140 (the model of
neutrophils).
"""

from typing import NamedTuple

import jax.numpy as jnp

from imak_pkpd.model import AbstractModel, Inputs, Scalar, parameter

FLOOR = 1e-6  # of neutrophils in the feedback and of outputs, as the peers do


class Amounts(NamedTuple):
    gut: Scalar
    central: Scalar
    outer: Scalar
    stem: Scalar
    a: Scalar
    b: Scalar
    c: Scalar
    blood: Scalar


class Friberg(AbstractModel):
    time = "h"
    doses = {"gut": "ug"}
    forcing = (("gut", "central", "outer"),)
    outputs = {"concentration": "ug/L", "neutrophils": "1e9/L"}

    CL: Scalar = parameter("L/h", "clearance")
    Q: Scalar = parameter("L/h", "clearance between compartments")
    V1: Scalar = parameter("L", "central volume")
    V2: Scalar = parameter("L", "outer volume")
    ka: Scalar = parameter("1/h", "absorption rate")
    MTT: Scalar = parameter("h", "mean transit time of neutrophils")
    C0: Scalar = parameter("1e9/L", "neutrophils before treatment")
    gam: Scalar = parameter("", "exponent of the feedback")
    alp: Scalar = parameter("L/ug", "slope of the drug's effect")

    def initial(self, inputs: Inputs) -> Amounts:
        zero = jnp.zeros_like(self.C0)
        return Amounts(zero, zero, zero, *5 * [self.C0])

    def dose(self, state: Amounts, name: str, amount: Scalar) -> Amounts:
        return state._replace(gut=state.gut + amount)

    def rates(self, t: Scalar, state: Amounts, inputs: Inputs) -> Amounts:
        gut, central, outer, stem, a, b, c, blood = state
        ktr = 4 / self.MTT
        out, back = self.Q / self.V1 * central, self.Q / self.V2 * outer
        feedback = (self.C0 / jnp.maximum(blood, FLOOR)) ** self.gam
        effect = self.alp * central / self.V1
        return Amounts(
            gut=-self.ka * gut,
            central=self.ka * gut - self.CL / self.V1 * central - out + back,
            outer=out - back,
            stem=ktr * stem * ((1 - effect) * feedback - 1),
            a=ktr * (stem - a),
            b=ktr * (a - b),
            c=ktr * (b - c),
            blood=ktr * (c - blood),
        )

    def observe(self, t: Scalar, state: Amounts, inputs: Inputs) -> dict[str, Scalar]:
        outputs = {"concentration": state.central / self.V1, "neutrophils": state.blood}
        return {name: jnp.maximum(value, FLOOR) for name, value in outputs.items()}
