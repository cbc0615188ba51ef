"""A hazard that is constant between changes of a covariate: no states."""

from collections.abc import Mapping

from imak_pkpd.model import AbstractStatic, Inputs, Scalar, parameter


class ConstantHazard(AbstractStatic):
    """h = r."""

    time = "day"
    outputs = {"relapse": "1/day"}
    r: Scalar = parameter("1/day", "hazard of relapse", scale="identity")

    def observe(self, t: Scalar, inputs: Inputs) -> Mapping[str, Scalar]:
        return {"relapse": self.r}
