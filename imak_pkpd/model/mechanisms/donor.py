"""Donor cells in the host: room to divide, IL-2, withdrawal, and no clone below a cell.

Cells of the whole body, rates per cell and day (1/d).
"""

from typing import NamedTuple

import jax.numpy as jnp

from imak_pkpd.model.abstract import Scalar
from imak_pkpd.model.mechanisms.saturation import saturation

LAST_CLONE = 10.0
"""Cells at which division has halved: without it an ODE regrows a clone from 1e-6 cells
weeks later, as no whole cell could."""

ROOM = 1.5
"""The most that room speeds up the division of cells that see their antigen."""


class DonorCells(NamedTuple):
    """Natural killer cells, alloreactive T cells, and all others."""

    NK: Scalar
    alloreactive: Scalar
    others: Scalar


def product_cells(cells: Scalar, *, NK: Scalar, alloreactive: Scalar) -> DonorCells:
    """`cells` of the product by kind, from the shares of the first two.

    What is left over is the third; shares drawn apart may add up to more than 1.
    """
    left = 1.0 - NK
    alloreactive = jnp.minimum(alloreactive, left)
    return DonorCells(cells * NK, cells * alloreactive, cells * (left - alloreactive))


def lymphopenia(
    host: Scalar, donor: Scalar, *, rest: Scalar, exponent: Scalar
) -> Scalar:
    """(rest/(host + donor))^exponent: fewer lymphocytes, more division.

    Source of the phenomenon: homeostatic expansion after lymphodepletion, Kimmel et al.
    2021, 10.1098/rspb.2021.0229.
    """
    present = jnp.maximum(host + donor, 1.0)
    return jnp.exp(exponent * (jnp.log(rest) - jnp.log(present)))


def extinction_gate(cells: Scalar) -> Scalar:
    """n/(n + 10): a factor of division, near 1 for a clone, 0 below one cell."""
    return saturation(cells, jnp.asarray(LAST_CLONE))


def il2_dependent_growth(
    il2_effect: Scalar, room: Scalar, *, division: Scalar, death: Scalar,
    withdrawal: Scalar,
) -> Scalar:  # fmt: skip
    """division · f · room - death - withdrawal (1 - f), of cells that need IL-2."""
    return division * il2_effect * room - death - withdrawal * (1.0 - il2_effect)


def antigen_driven_growth(
    cells: Scalar, il2_effect: Scalar, room: Scalar, *, division: Scalar, death: Scalar,
    withdrawal: Scalar, autocrine: Scalar,
) -> Scalar:  # fmt: skip
    """G division (a + (1 - a) f) min(room, 1.5) - death - withdrawal (1 - f)(1 - a).

    `autocrine` a is the share of division, and of protection, that these cells keep
    without IL-2 from outside; G is the extinction gate.
    """
    driven = autocrine + (1.0 - autocrine) * il2_effect
    divided = division * driven * jnp.minimum(room, ROOM) * extinction_gate(cells)
    return divided - death - withdrawal * (1.0 - il2_effect) * (1.0 - autocrine)


def chimerism(donor: Scalar, host: Scalar, *, scored: Scalar) -> Scalar:
    """donor/(donor + scored · host), the share of donor cells among those scored.

    `scored`: cells that the assay counts for each host lymphocyte.
    """
    present = jnp.maximum(donor, 0.0)
    return present / (present + scored * jnp.maximum(host, 1.0))


def per_microlitre(cells: Scalar, *, blood_share: Scalar) -> Scalar:
    """Cells per uL of blood, of `cells` in the body: 5 L of blood."""
    return blood_share * jnp.maximum(cells, 0.0) / BLOOD


BLOOD = 5e6
"""uL of blood in an adult (textbook)."""
