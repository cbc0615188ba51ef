"""Graft-versus-host disease as a hazard of exposure to alloreactive donor T cells."""

import jax.numpy as jnp

from imak_pkpd.model.abstract import Scalar

EXPOSURE = 1e11
"""Cell days for one unit of exposure."""


def gvhd_exposure(alloreactive: Scalar) -> Scalar:
    """d X/dt = D_A/1e11, in 1e11 cells; a solver's negative cells give none."""
    return jnp.maximum(alloreactive, 0.0) / EXPOSURE


def gvhd_probability(exposure: Scalar, *, hazard: Scalar) -> Scalar:
    """1 - exp(-theta X), theta in 1/(1e11 cell d).

    Scaled to donor lymphocyte infusions that engraft: 21/45/55 % by dose of T cells
    (Bar et al. 2013, 10.1016/j.bbmt.2013.03.001).
    """
    return -jnp.expm1(-hazard * exposure)
