"""Cyclophosphamide, and how the host lymphocytes that it depletes recover.

Amounts in mg, concentrations in mg/L, cells of the whole body, rates in 1/d.
"""

import jax.numpy as jnp

from imak_pkpd.model.abstract import Scalar
from imak_pkpd.model.mechanisms.saturation import saturation


def cyclophosphamide_elimination(
    amount: Scalar, induction: Scalar, *, CL: Scalar, V: Scalar
) -> Scalar:
    """d amount/dt = -(CL/V)(1 + induction) amount, mg/d.

    Source: one compartment, Ahmed et al. 2020, 10.3389/fphar.2020.00406.
    """
    return -CL / V * (1.0 + induction) * amount


def autoinduction(
    induction: Scalar,
    concentration: Scalar,
    *,
    greatest: Scalar,
    half: Scalar,
    rate: Scalar,
) -> Scalar:
    """d induction/dt = rate (greatest C/(half + C) - induction): clearance rises.

    Source of the phenomenon: the half-life of a second high dose is shorter
    (Moore et al. 1991, PMID 1937169).
    """
    return rate * (greatest * saturation(concentration, half) - induction)


def gompertz_recovery(cells: Scalar, *, rate: Scalar, rest: Scalar) -> Scalar:
    """rate ln(rest/cells), the net growth per cell and day towards `rest`.

    Source: Kimmel et al. 2021, 10.1098/rspb.2021.0229, for lymphocytes after
    fludarabine and cyclophosphamide.
    """
    return rate * jnp.log(rest / jnp.maximum(cells, 1.0))


def logistic_recovery(cells: Scalar, *, rate: Scalar, rest: Scalar) -> Scalar:
    """rate (1 - cells/rest), per cell and day. Source: Verhulst 1838."""
    return rate * (1.0 - cells / rest)


def friberg_proliferation(
    proliferating: Scalar, circulating: Scalar, kill: Scalar, *, k: Scalar,
    rest: Scalar, feedback: Scalar,
) -> Scalar:  # fmt: skip
    """d P/dt = k P ((1 - kill)(rest/circulating)^feedback - 1), cells/d.

    `k` is the transit rate, 1/d; `kill` the drug's effect, 0 without drug. Transit
    compartments follow by k (previous - own), the last being the circulating cells.
    Source: Friberg et al. 2002, J Clin Oncol 20:4713.
    """
    pull = jnp.exp(feedback * jnp.log(rest / jnp.maximum(circulating, 1.0)))
    return k * proliferating * ((1.0 - kill) * pull - 1.0)
