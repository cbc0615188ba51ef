"""Phenobarbital in newborns, intravenous: one compartment, scaled by body weight.

    central' = -(CL WT) / (V WT) central = -CL/V central
    concentration = central / (V WT)

CL and V are per kg, so their typical values are read off directly; other
covariates (the Apgar score on V) belong to the fit file. Reads the covariate WT, kg.
Reference: Grasela & Donn 1985, Dev Pharmacol Ther 8:374.
"""

from collections.abc import Mapping
from typing import NamedTuple

from imak_pkpd.model import AbstractLinear, Inputs, Scalar, parameter


class Amounts(NamedTuple):
    central: Scalar


class Phenobarbital(AbstractLinear):
    time = "h"
    doses = {"central": "mg"}
    outputs = {"concentration": "mg/L"}

    CL: Scalar = parameter("L/h/kg", "clearance per kg of body weight")
    V: Scalar = parameter("L/kg", "volume of distribution per kg of body weight")

    def initial(self, inputs: Inputs) -> Amounts:
        return Amounts(0.0)

    def dose(self, state: Amounts, name: str, amount: Scalar) -> Amounts:
        return Amounts(state.central + amount)

    def rates(self, t: Scalar, state: Amounts, inputs: Inputs) -> Amounts:
        eliminated = self.CL / self.V * state.central
        return Amounts(inputs.infusion["central"] - eliminated)

    def observe(
        self, t: Scalar, state: Amounts, inputs: Inputs
    ) -> Mapping[str, Scalar]:
        return {"concentration": state.central / (self.V * inputs.covariate["WT"])}
