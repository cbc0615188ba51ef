"""A hazard that is constant between changes of a covariate: no states.

    h = r, so that the survival from a to b is exp(-r (b - a))

Reference: the exponential law; Cox & Oakes 1984, Analysis of Survival Data, ch. 2.
"""

from collections.abc import Mapping

from imak_pkpd.model import AbstractStatic, Inputs, Scalar, parameter


class ConstantHazard(AbstractStatic):
    """h = r."""

    time = "day"
    outputs = {"relapse": "1/day"}
    r: Scalar = parameter("1/day", "hazard of relapse", scale="identity")

    def observe(self, t: Scalar, inputs: Inputs) -> Mapping[str, Scalar]:
        return {"relapse": self.r}
