"""One compartment with depot, clearance following the weight of each interval.

    depot'   = -KA depot
    central' = KA depot - CL (WT/70)^0.75 / V central
    concentration = 1000 central / V

Reads the covariate WT, kg; constant between records (LOCF or NOCB).
Reference: West, Brown & Enquist 1997, Science 276:122 (the exponent).
"""

from collections.abc import Mapping
from typing import NamedTuple

from imak_pkpd.model import AbstractLinear, Inputs, Scalar, parameter


class Amounts(NamedTuple):
    depot: Scalar
    central: Scalar


class WeightInRates(AbstractLinear):
    time = "h"
    doses = {"depot": "mg"}
    outputs = {"concentration": "ug/L"}

    KA: Scalar = parameter("1/h", "first-order absorption rate")
    CL: Scalar = parameter("L/h", "clearance at 70 kg")
    V: Scalar = parameter("L", "volume of the central compartment")

    def initial(self, inputs: Inputs) -> Amounts:
        return Amounts(0.0, 0.0)

    def dose(self, state: Amounts, name: str, amount: Scalar) -> Amounts:
        return state._replace(depot=state.depot + amount)

    def rates(self, t: Scalar, state: Amounts, inputs: Inputs) -> Amounts:
        clearance = self.CL * (inputs.covariate["WT"] / 70.0) ** 0.75
        absorbed = self.KA * state.depot
        return Amounts(
            depot=inputs.infusion["depot"] - absorbed,
            central=absorbed - clearance / self.V * state.central,
        )

    def observe(
        self, t: Scalar, state: Amounts, inputs: Inputs
    ) -> Mapping[str, Scalar]:
        return {"concentration": 1000.0 * state.central / self.V}  # mg/L to ug/L
