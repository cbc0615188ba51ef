"""What killers do to a tumour: five forms of the kill per tumour cell and day (1/d).

E killers at the tumour and L tumour cells, both >= 0.

| form | kill per tumour cell | large L | large E |
|---|---|---|---|
| `mass_action` | k E | a killer's kills have no bound | no bound |
| `killer_saturated` | kappa E/(k_B + E) | the same at any burden | kappa |
| `target_saturated` | kappa E/(h + L) | kappa kills per killer | no bound |
| `doubly_saturated` | kappa E/(h + E + L) | kappa kills per killer | kappa |
| `ratio_dependent` | d (E/L)^n/(s + (E/L)^n) | by the ratio alone | d |
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from imak_pkpd.model.abstract import Scalar

LEAST = 1e-30
"""Cells without effect: they keep a logarithm finite at zero."""


class Kills(NamedTuple):
    """Kill per tumour cell and day: by cells that a clone may evade, and by drugs."""

    cells: Scalar
    drugs: Scalar


def mass_action(killers: Scalar, *, rate: Scalar) -> Scalar:
    """k E, k in 1/(cell d)."""
    return rate * killers


def killer_saturated(killers: Scalar, *, greatest: Scalar, half: Scalar) -> Scalar:
    """kappa E/(k_B + E). Source: Kimmel et al. 2021, 10.1098/rspb.2021.0229."""
    return greatest * killers / (half + killers)


def target_saturated(
    killers: Scalar, targets: Scalar, *, greatest: Scalar, half: Scalar
) -> Scalar:
    """kappa E/(h + L). Source: Holling 1959, Can Entomol 91:385 (type II)."""
    return greatest * killers / (half + targets)


def doubly_saturated(
    killers: Scalar, targets: Scalar, *, greatest: Scalar, half: Scalar
) -> Scalar:
    """kappa E/(h + E + L), the default: both are counted, neither without bound.

    Source: Beddington 1975, J Anim Ecol 44:331; DeAngelis et al. 1975, Ecology 56:881.
    A solver's negative `killers` count in the numerator alone.
    """
    present = jnp.maximum(killers, 0.0)
    return greatest * killers / (half + present + targets)


def ratio_dependent(
    killers: Scalar, targets: Scalar, *, greatest: Scalar, half: Scalar,
    exponent: Scalar,
) -> Scalar:  # fmt: skip
    """d x/(s + x), x = (E/L)^n in logarithms, so that L -> 0 has a limit.

    Source: de Pillis, Radunskaya & Wiseman 2005, Cancer Res 65:7950.
    """
    ratio = jnp.log(jnp.maximum(killers, LEAST)) - jnp.log(jnp.maximum(targets, LEAST))
    return greatest * jax.nn.sigmoid(exponent * ratio - jnp.log(half))
