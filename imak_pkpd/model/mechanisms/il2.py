"""Subcutaneous IL-2: from the depot to blood.

Amounts in 1e6 IU, concentrations in IU/mL, volumes in L, rates in 1/d.
"""

from typing import NamedTuple

from imak_pkpd.model.abstract import Scalar

IU_PER_ML = 1e3
"""1e6 IU in 1 L is 1e3 IU/mL."""


class DepotAndBlood(NamedTuple):
    """d depot/dt and d central/dt, 1e6 IU/d."""

    depot: Scalar
    central: Scalar


def il2_disposition(
    depot: Scalar, central: Scalar, *, ka: Scalar, CL: Scalar, V: Scalar
) -> DepotAndBlood:
    """I_sc' = -ka I_sc, I_c' = ka I_sc - (CL/V) I_c.

    Absorption is slower than elimination and sets the half-life seen (flip-flop):
    Kirchner et al. 1998, 10.1046/j.1365-2125.1998.00036.x.
    """
    absorbed = ka * depot
    return DepotAndBlood(-absorbed, absorbed - CL / V * central)


def il2_concentration(central: Scalar, *, V: Scalar) -> Scalar:
    """IU/mL from 1e6 IU in V litres."""
    return IU_PER_ML * central / V
