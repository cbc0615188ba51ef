"""A tumour with a clone that evades, under given effectors, and the host's immunity.

    lS' = g (1 - L/K) - (kD + kZ) - EL C - kdir occ          L = e^lS + e^lR
    lR' = g (1 - L/K) - (1 - evade)(kD + kZ) - EL C - kdir occ
    Z'  = z_rho [L/(L50 + L)] [A/(e50 + A)] Z (1 - Z/K_Z) - z_d (Z - Z0)

with kD = kap E/(h + E + L), kZ = z_kap Z/(h + Z + L), A = killers + alloreactive,
E = site (eN (1 + alpha occ) nk + alloreactive + eB bystander) and
occ = rituximab/(EC50 + rituximab) where CD20 is 1. Days, cells of the whole body.

Columns of the data say what comes from outside: `nk`, `alloreactive`, `bystander`
(donor cells), `killers` (host cells that reject), `cyclophosphamide` and `rituximab`
(mg/L). There are no doses.

Reference: this project's full model (imak_full.py has the sources of its numbers).
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp

from imak_pkpd.model import (
    AbstractModel,
    Inputs,
    Scalar,
    mechanisms as m,
    parameter,
)

KIMMEL = "Kimmel et al. 2021, 10.1098/rspb.2021.0229"
HALLE = "2-16 kills per killer and day in vivo: Halle et al. 2016, Immunity 44:233"
RUBIO = "immunity after rejection in mice: Rubio et al. 2003, Blood 102:2300"
BOOK = "textbook"
ASSUMED = "hypothesis"

MOST = 1.0 - 1e-9  # of a tumour may evade: a share of 1 would leave ln 0


class Tumour(NamedTuple):
    """lS and lR are ln of the cells of both clones, Z host bystander cells."""

    lS: Scalar
    lR: Scalar
    Z: Scalar


class TumourKill(AbstractModel):
    time = "day"
    doses = {}
    outputs = {"tumour": "cells", "kill": "1/day", "bystander": "cells"}

    cd20: Scalar = parameter("", "1 for a CD20+ tumour, else 0", scale="identity")
    cy_EL: Scalar = parameter(
        "L/mg/day", "tumour cells killed per concentration", ASSUMED
    )
    tum_log10B0: Scalar = parameter(
        "log10 cells", "tumour at treatment", ASSUMED, scale="identity"
    )
    tum_g: Scalar = parameter(
        "1/day", "growth of tumour", "Ommen et al. 2010, Blood 115:198"
    )
    tum_K: Scalar = parameter("cells", "capacity of tumour", BOOK)
    tum_kap: Scalar = parameter("1/day", "tumour cells killed per effector", HALLE)
    tum_h: Scalar = parameter("cells", "half-saturation of tumour kill", KIMMEL)
    tum_site: Scalar = parameter(
        "", "share of donor effectors at the tumour", ASSUMED, scale="logit"
    )
    tum_eN: Scalar = parameter("", "potency of an NK cell", ASSUMED)
    tum_eB: Scalar = parameter("", "potency of a bystander T cell", ASSUMED)
    tum_log10phiR: Scalar = parameter(
        "log10", "share of the tumour that evades", ASSUMED, scale="identity"
    )
    tum_evade: Scalar = parameter(
        "", "share of the kill that it evades", ASSUMED, scale="logit"
    )
    z_Z0: Scalar = parameter("cells", "host bystander cells at rest", ASSUMED)
    z_rho: Scalar = parameter("1/day", "expansion of host bystander cells", RUBIO)
    z_K: Scalar = parameter("cells", "capacity of host bystander cells", ASSUMED)
    z_d: Scalar = parameter("1/day", "loss of host bystander cells", BOOK)
    z_kap: Scalar = parameter("1/day", "tumour cells killed per bystander cell", HALLE)
    z_L50: Scalar = parameter("cells", "tumour for half the antigen", ASSUMED)
    z_e50: Scalar = parameter("cells", "responders for half the help", ASSUMED)
    rtx_EC50: Scalar = parameter("mg/L", "rituximab for half the effect", ASSUMED)
    rtx_alpha: Scalar = parameter("", "largest gain of NK potency", ASSUMED)
    rtx_kdir: Scalar = parameter("1/day", "kill without donor NK cells", ASSUMED)

    def initial(self, inputs: Inputs) -> Tumour:
        evading = jnp.minimum(10.0**self.tum_log10phiR, MOST)
        log_tumour = self.tum_log10B0 * jnp.log(10.0)
        return Tumour(
            lS=log_tumour + jnp.log1p(-evading),
            lR=log_tumour + jnp.log(evading),
            Z=self.z_Z0,
        )

    def dose(self, state: Tumour, name: str, amount: Scalar) -> Tumour:
        return state

    def occupied(self, inputs: Inputs) -> Scalar:
        return m.occupancy(inputs.covariate["rituximab"], self.cd20, half=self.rtx_EC50)

    def kill(self, state: Tumour, inputs: Inputs) -> Scalar:
        """kD + kZ."""
        outside = inputs.covariate
        tumour = m.cells_of_log(state.lS) + m.cells_of_log(state.lR)
        potency = self.tum_eN * (1.0 + self.rtx_alpha * self.occupied(inputs))
        effectors = self.tum_site * (
            potency * outside["nk"]
            + outside["alloreactive"]
            + self.tum_eB * outside["bystander"]
        )
        donor = m.doubly_saturated(
            effectors, tumour, greatest=self.tum_kap, half=self.tum_h
        )
        host = m.doubly_saturated(state.Z, tumour, greatest=self.z_kap, half=self.tum_h)
        return donor + host

    def rates(self, t: Scalar, state: Tumour, inputs: Inputs) -> Tumour:
        outside = inputs.covariate
        tumour = m.cells_of_log(state.lS) + m.cells_of_log(state.lR)
        growth = m.logistic_growth(tumour, rate=self.tum_g, capacity=self.tum_K)
        killed = self.kill(state, inputs)
        drugs = self.cy_EL * outside["cyclophosphamide"]
        drugs += self.rtx_kdir * self.occupied(inputs)
        return Tumour(
            lS=growth - killed - drugs,
            lR=growth - (1.0 - self.tum_evade) * killed - drugs,
            Z=m.bystander_expansion(
                state.Z, tumour, outside["killers"] + outside["alloreactive"],
                division=self.z_rho, half_antigen=self.z_L50, half_help=self.z_e50,
                capacity=self.z_K, death=self.z_d, rest=self.z_Z0,
            ),
        )  # fmt: skip

    def observe(self, t: Scalar, state: Tumour, inputs: Inputs) -> Mapping[str, Scalar]:
        tumour = m.cells_of_log(state.lS) + m.cells_of_log(state.lR)
        # 1 + L is a soft floor at one cell: far below it the gradient fades out.
        return {
            "tumour": 1.0 + tumour,
            "kill": self.kill(state, inputs),
            "bystander": state.Z,
        }
