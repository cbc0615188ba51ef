"""Eight schools: the effect of coaching is one number per school.

    effect = theta

Reference: Rubin 1981, J Educ Stat 6:377.
"""

from collections.abc import Mapping

from imak_pkpd.model import AbstractStatic, Inputs, Scalar, parameter


class EightSchools(AbstractStatic):
    time = ""  # nothing changes in time
    outputs = {"effect": "points"}

    theta: Scalar = parameter("points", "effect in this school", scale="identity")

    def observe(self, t: Scalar, inputs: Inputs) -> Mapping[str, Scalar]:
        return {"effect": self.theta}
