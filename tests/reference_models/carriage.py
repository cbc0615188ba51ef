"""Carriage of H. influenzae in children: a logistic model with a random intercept.

    logit P(present) = b0 + b1 DRUG + b2 DRUGP + b3 WK2

Reference: Venables & Ripley 2002, Modern Applied Statistics with S, section 10.4.
"""

from collections.abc import Mapping

from jax.nn import sigmoid

from imak_pkpd.model import AbstractStatic, Inputs, Scalar, parameter


class Carriage(AbstractStatic):
    time = "week"
    outputs = {"present": "probability"}

    b0: Scalar = parameter("log odds", "on placebo at first", scale="identity")
    b1: Scalar = parameter("log odds", "of the drug", scale="identity")
    b2: Scalar = parameter("log odds", "of the drug, well taken", scale="identity")
    b3: Scalar = parameter("log odds", "after week 2", scale="identity")

    def observe(self, t: Scalar, inputs: Inputs) -> Mapping[str, Scalar]:
        own = inputs.covariate
        shift = self.b1 * own["DRUG"] + self.b2 * own["DRUGP"] + self.b3 * own["WK2"]
        return {"present": sigmoid(self.b0 + shift)}
