"""Donor cells, the host's rejection of them, tumour and host bystander immunity.

Days; the donor infusion is at t = 0, cyclophosphamide was given at t = -1.

    D' = D (D/(D + 10) rho il2(t) - dD - rej)                 donor effector cells
    P' = kp s a H/H0 exp(-kp max(t, 0)) + (rhoR s - kd) P     primed host cells
    R' = kd P - dR R                                          host killers
    H' = rH H ln(H0/H) - 0.073 eH cy(t) H                     host lymphocytes
    l' = g (1 - L/K) - kap E/(h + E + L) - kZ Z/(h + Z + L)   ln tumour cells, L = e^l
    Z' = rZ L/(1e5 + L) R/(e50 + R) Z (1 - Z/KZ) - dZ (Z - Z0)  host bystander cells

with s = D/(D50 + D), rej = kR R/(hR + R + D), E = fs D, and the inputs
il2(t) = sigmoid(8 t) sigmoid(8 (5.2 - t)), cy(t) = 37.6 exp(-2.8 (t + 1)) mg/L.
An infusion of `cells` adds D0/7e9 of its amount to D: D0 is what survives of the
reference dose, 1e8 cells/kg at 70 kg. A second infusion meets the sensitised host.

Reference: this project's core model. Its expansion and recovery follow Kimmel et al.
2021 (10.1098/rspb.2021.0229); its half-saturations are assumptions.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
from jax.nn import sigmoid

from imak_pkpd.model import (
    AbstractModel,
    Inputs,
    Scalar,
    mechanisms as m,
    parameter,
)

KIMMEL = "Kimmel et al. 2021, 10.1098/rspb.2021.0229"
HALLE = "2-16 kills per killer and day in vivo: Halle et al. 2016, Immunity 44:233"
OMMEN = "molecular relapse doubles in 11-36 d: Ommen et al. 2010, Blood 115:198"
LEE = "most infused white cells are cleared in 2 d: Lee et al. 1995, Blood 85:1207"
RUBIO = "anti-tumour immunity after rejection: Rubio et al. 2003, Blood 102:2300"
ASSUMED = "assumption of this model"

REFERENCE_DOSE = 7e9  # cells: 1e8 per kg at 70 kg
IL2_END = 5.2  # d: five daily s.c. doses from day 0 and the last one's absorption
IL2_EDGE = 8.0  # 1/d: steepness of rise and fall, about half a day
CY_PEAK = 37.6  # mg/L: 1000 mg/m2 x 1.75 m2 / 46.5 L (V: Ahmed et al. 2020)
CY_DECAY = 2.8  # 1/d: 130 L/d / 46.5 L (Ahmed et al. 2020, 10.3389/fphar.2020.00406)
CY_KILL = 0.073  # L/mg/d: about CY_DECAY / CY_PEAK, so eH is the ln-fold loss of H
ANTIGEN = 1e5  # tumour cells for half the bystander drive; assumption
BLOOD_SHARE = 0.02  # of the body's lymphocytes are in blood (textbook)
SCORED = 1.25  # cells scored by the assay per host lymphocyte; assumption


class Cells(NamedTuple):
    """Cells of the whole body; l is the natural logarithm of tumour cells."""

    D: Scalar
    P: Scalar
    R: Scalar
    H: Scalar
    l: Scalar  # noqa: E741
    Z: Scalar


class ImakCore(AbstractModel):
    time = "day"
    logarithms = ("D",)
    doses = {"cells": "cells"}
    outputs = {"donor": "cells/uL", "chimerism": "", "tumour": "cells", "host": "cells"}

    # Fitted: they may differ between patients.
    D0: Scalar = parameter("cells", "donor cells that survive the reference dose", LEE)
    rho: Scalar = parameter("1/day", "expansion of donor cells under IL-2", KIMMEL)
    dD: Scalar = parameter("1/day", "death of donor cells", ASSUMED)
    kR: Scalar = parameter("1/day", "maximal killing of donor cells", HALLE)
    a: Scalar = parameter("cells", "host cells that can recognise the donor", ASSUMED)
    kd: Scalar = parameter("1/day", "primed host cells becoming killers", ASSUMED)
    eH: Scalar = parameter(
        "", "ln-fold loss of host cells to cyclophosphamide", ASSUMED
    )
    g: Scalar = parameter("1/day", "growth of tumour", OMMEN)
    B0: Scalar = parameter("cells", "tumour cells at t = 0", ASSUMED)
    kap: Scalar = parameter("1/day", "maximal tumour kills per donor effector", HALLE)
    rZ: Scalar = parameter("1/day", "expansion of host bystander cells", RUBIO)

    # Usually fixed in the fit file.
    hR: Scalar = parameter("cells", "half-saturation of rejection", ASSUMED)
    rhoR: Scalar = parameter("1/day", "division of primed host cells", ASSUMED)
    dR: Scalar = parameter("1/day", "loss of host killers", ASSUMED)
    D50: Scalar = parameter("cells", "donor cells for half-maximal priming", ASSUMED)
    H0: Scalar = parameter("cells", "host lymphocytes at rest", KIMMEL)
    rH: Scalar = parameter("1/day", "recovery of host lymphocytes", KIMMEL)
    K: Scalar = parameter("cells", "capacity of tumour", ASSUMED)
    h: Scalar = parameter("cells", "half-saturation of tumour killing", ASSUMED)
    fs: Scalar = parameter("", "share of donor cells at tumour sites", ASSUMED)
    kZ: Scalar = parameter("1/day", "maximal tumour kills per bystander cell", HALLE)
    Z0: Scalar = parameter("cells", "host bystander cells at rest", ASSUMED)
    KZ: Scalar = parameter("cells", "capacity of host bystander cells", ASSUMED)
    dZ: Scalar = parameter("1/day", "loss of host bystander cells", ASSUMED)
    e50: Scalar = parameter(
        "cells", "host killers for half the bystander help", ASSUMED
    )
    kp: Scalar = parameter("1/day", "priming of host cells", ASSUMED)

    def initial(self, inputs: Inputs) -> Cells:
        zero = jnp.zeros_like(self.D0)
        return Cells(
            zero, zero, zero, self.H0 * jnp.exp(-self.eH), jnp.log(self.B0), self.Z0
        )

    def dose(self, state: Cells, name: str, amount: Scalar) -> Cells:
        return state._replace(D=state.D + amount * self.D0 / REFERENCE_DOSE)

    def rates(self, t: Scalar, state: Cells, inputs: Inputs) -> Cells:
        D, P, R, H, l, Z = state  # noqa: E741
        L = m.cells_of_log(l)
        il2 = sigmoid(IL2_EDGE * t) * sigmoid(IL2_EDGE * (IL2_END - t))
        cy = CY_PEAK * jnp.exp(-CY_DECAY * (t + 1))
        s = m.saturation(D, self.D50)
        rejected = m.rejection(R, D, greatest=self.kR, half=self.hR)
        divided = m.extinction_gate(D) * self.rho * il2
        unprimed = self.a * H / self.H0 * jnp.exp(-self.kp * jnp.maximum(t, 0.0))
        recovery = m.gompertz_recovery(H, rate=self.rH, rest=self.H0)
        growth = m.logistic_growth(L, rate=self.g, capacity=self.K)
        killed = m.doubly_saturated(self.fs * D, L, greatest=self.kap, half=self.h)
        killed += m.doubly_saturated(Z, L, greatest=self.kZ, half=self.h)
        infused = inputs.infusion["cells"] * self.D0 / REFERENCE_DOSE
        return Cells(
            D=infused + D * (divided - self.dD - rejected),
            P=self.kp * s * unprimed + (self.rhoR * s - self.kd) * P,
            R=self.kd * P - self.dR * R,
            H=H * (recovery - CY_KILL * self.eH * cy),
            l=growth - killed,
            Z=m.bystander_expansion(
                Z, L, R, division=self.rZ, half_antigen=ANTIGEN, half_help=self.e50,
                capacity=self.KZ, death=self.dZ, rest=self.Z0,
            ),
        )  # fmt: skip

    def losses(self, state: Cells) -> Mapping[str, Scalar]:
        # Net of division: 23 steps, not 25, at 20 times the error of a utility.
        return {"P": self.kd}

    def observe(self, t: Scalar, state: Cells, inputs: Inputs) -> Mapping[str, Scalar]:
        return {
            "donor": m.per_microlitre(state.D, blood_share=BLOOD_SHARE),
            "chimerism": m.chimerism(state.D, state.H, scored=SCORED),
            # 1 + L is a soft floor at one cell: far below it the gradient fades out.
            "tumour": 1.0 + m.cells_of_log(state.l),
            "host": jnp.maximum(state.H, 1.0),
        }
