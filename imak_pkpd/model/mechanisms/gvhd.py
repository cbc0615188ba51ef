"""Graft-versus-host disease as a hazard of exposure to alloreactive donor T cells."""

import jax.numpy as jnp

from imak_pkpd.model.abstract import Scalar

EXPOSURE = 1e11
"""Cell days for one unit of exposure."""


def gvhd_exposure(alloreactive: Scalar) -> Scalar:
    """d X/dt = D_A/1e11, in 1e11 cells; a solver's negative cells give none."""
    return jnp.maximum(alloreactive, 0.0) / EXPOSURE


def gvhd_exposure_over(first: Scalar, last: Scalar, duration: Scalar) -> Scalar:
    """The exposure, in 1e11 cell d, of an interval with `first` and `last` cells.

    Exact where they grow or decay at one rate (their logarithmic mean); never negative.
    """
    some = (first > 0) & (last > 0)
    ratio = jnp.log(jnp.where(some, first, 1.0)) - jnp.log(jnp.where(some, last, 1.0))
    wide = jnp.abs(ratio) > 1e-5  # below it the two means agree to 1e-11
    quotient = (first - last) / jnp.where(wide, ratio, 1.0)
    mean = jnp.where(wide & some, quotient, 0.5 * (first + last))
    return mean * duration / EXPOSURE


def gvhd_probability(exposure: Scalar, *, hazard: Scalar) -> Scalar:
    """1 - exp(-theta X), theta in 1/(1e11 cell d).

    Scaled to donor lymphocyte infusions that engraft: 21/45/55 % by dose of T cells
    (Bar et al. 2013, 10.1016/j.bbmt.2013.03.001).
    """
    return -jnp.expm1(-hazard * exposure)
