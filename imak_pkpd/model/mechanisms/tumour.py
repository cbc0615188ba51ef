"""How a tumour grows by itself: rates per cell and day, of tumours in cells.

With ln L as the state, l' = growth - kills. The logistic law is the default (below 1e11
cells it is exponential growth): after a deep response the Gompertz law regrows far too
fast (ln(K/L) is 19 at 1e4 cells).
"""

import jax.numpy as jnp

from imak_pkpd.model.abstract import Scalar

HIGHEST_LOG = 60.0
"""e^60 cells is beyond any tumour and squares without overflow."""


def cells_of_log(log_cells: Scalar) -> Scalar:
    """e^l, held at e^60 above it."""
    return jnp.exp(jnp.minimum(log_cells, HIGHEST_LOG))


def logistic_growth(cells: Scalar, *, rate: Scalar, capacity: Scalar) -> Scalar:
    """rate (1 - L/K). Source: Verhulst 1838."""
    return rate * (1.0 - cells / capacity)


def gompertz_growth(cells: Scalar, *, rate: Scalar, capacity: Scalar) -> Scalar:
    """rate ln(K/L). Source: Laird 1964, Br J Cancer 18:490."""
    return rate * (jnp.log(capacity) - jnp.log(jnp.maximum(cells, 1.0)))
