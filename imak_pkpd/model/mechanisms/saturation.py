"""Saturating effects, safe at zero and below it."""

import jax
import jax.numpy as jnp

from imak_pkpd.model.abstract import Scalar

LEAST = 1e-30
"""A concentration without effect: it keeps a logarithm finite at zero."""


def saturation(x: Scalar, half: Scalar) -> Scalar:
    """x/(half + x), between 0 and 1; 0 where a solver's x is negative.

    Units: `half` as x. Source: Michaelis & Menten 1913, Biochem Z 49:333.
    """
    seen = jnp.maximum(x, 0.0)
    return seen / (half + seen)


def hill(x: Scalar, half: Scalar, exponent: Scalar) -> Scalar:
    """x^n/(half^n + x^n), between 0 and 1; 0 where a solver's x is negative.

    Units: `half` as x. Source: Hill 1910, J Physiol 40:iv.
    """
    steps = jnp.log(jnp.maximum(x, LEAST)) - jnp.log(half)
    return jnp.where(x > 0, jax.nn.sigmoid(exponent * steps), 0.0)
