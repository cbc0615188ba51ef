"""Rituximab: two compartments, and the CD20 that it occupies.

Amounts in mg, concentrations in mg/L, rates in 1/d.
"""

from typing import NamedTuple

from imak_pkpd.model.abstract import Scalar
from imak_pkpd.model.mechanisms.saturation import saturation


class TwoCompartments(NamedTuple):
    """d central/dt and d peripheral/dt, mg/d."""

    central: Scalar
    peripheral: Scalar


def rituximab_disposition(
    central: Scalar, peripheral: Scalar, *, CL: Scalar, V1: Scalar, Q: Scalar,
    V2: Scalar,
) -> TwoCompartments:  # fmt: skip
    """R1' = -(CL/V1 + Q/V1) R1 + (Q/V2) R2, R2' = (Q/V1) R1 - (Q/V2) R2.

    Source: Candelaria et al. 2018, 10.1007/s00280-018-3524-9.
    """
    out, back = Q / V1 * central, Q / V2 * peripheral
    return TwoCompartments(-CL / V1 * central - out + back, out - back)


def occupancy(concentration: Scalar, cd20: Scalar, *, half: Scalar) -> Scalar:
    """CD20 · c/(half + c), the effect of the antibody; `cd20` is 1 or 0."""
    return cd20 * saturation(concentration, half)
