"""Cure: the probability that no clonogenic tumour cell survives (Kendall 1948).

For a linear birth-death process with birth b and death mu(t) = d + kill(t), a cell has
no descendant left with probability 1 - 1/(1 + J n0), J the integral of mu(t)/n(t) and n
the mean, here the solution of the ODE. Of n0 phi independent cells, with phi the share
that is clonogenic (it multiplies n0 and divides n, so one factor is left),

    -ln P(cure) = phi sum over clones of 1/(1/n0 + J)

which assumes that a cell survives with small probability and that cells do not wait for
each other (no saturation at the end). All is computed in logarithms; optimise on
ln(-ln P), as P itself is flat near 0 and 1.
Source: Kendall 1948, Ann Math Stat 19:1.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float

from imak_pkpd.solve.curve import Curve, Segments, segments, value_at

SLOWEST = 1e-6
"""1/d: net growth of a tumour that rests at its capacity; without it, it were cured."""


class Clone(NamedTuple):
    """ln of its cells, and what kills them (per cell and time), over time."""

    log_cells: Curve
    kill: Curve


def log_minus_log_cure(
    clones: Sequence[Clone],
    start: Float[Array, ""],
    *,
    growth: Float[Array, ""],
    turnover: Float[Array, ""],
    clonogenic: Float[Array, ""],
) -> Float[Array, ""]:
    """ln(-ln P(cure)), with treatment from `start` (a node) on.

    `growth` is the net growth of a small tumour, b - d; `turnover` d/b of an untreated
    one; `clonogenic` the share phi. After the end of the solve the last net growth goes
    on for ever.
    """
    death = growth * turnover / (1.0 - turnover)
    terms = jnp.stack([_clone(clone, start, death) for clone in clones])
    return jnp.log(clonogenic) + logsumexp(terms)


def _clone(
    clone: Clone, start: Float[Array, ""], death: Float[Array, ""]
) -> Float[Array, ""]:
    """-ln(1/n0 + J)."""
    cells, kill = segments(clone.log_cells), segments(clone.kill)
    counts = (cells.length > 0) & (cells.start >= start)
    pieces = _log_integral(
        counts,
        cells,
        jnp.log(death + kill.first) - cells.first,
        jnp.log(death + kill.last) - cells.last,
    )
    tail = _log_tail(clone, death)
    log_J = logsumexp(jnp.concatenate([pieces, tail[None]]))
    log_n0 = value_at(clone.log_cells, start)
    return -jnp.logaddexp(-log_n0, log_J)


def _log_integral(
    counts: Array, piece: Segments, a: Float[Array, " n"], b: Float[Array, " n"]
) -> Float[Array, " n"]:
    """ln of the integral over a segment of e^x, x going linearly from a to b.

    Exact under constant rates. A midpoint gained nothing on meshes that solve the ODE.
    """
    width = jnp.where(counts, piece.length, 1.0)
    apart = jnp.abs(a - b)
    wide = apart > 1e-4  # below it (1 - e^-x)/x is 1 - x/2 + x²/6 to 1e-13
    safe = jnp.where(wide, apart, 1.0)
    close = jnp.log1p(jnp.where(wide, 0.0, -apart / 2 + apart**2 / 6))
    mean = jnp.where(wide, jnp.log(-jnp.expm1(-safe) / safe), close)
    whole = jnp.log(width) + jnp.maximum(a, b) + mean
    return jnp.where(counts, whole, -jnp.inf)


def _log_tail(clone: Clone, death: Float[Array, ""]) -> Float[Array, ""]:
    """ln of the integral from the end on: mu/(n r), r the last net growth."""
    slope = jnp.maximum(clone.log_cells.arriving[-1], SLOWEST)
    mu = death + clone.kill.after[-1]
    return jnp.log(mu) - clone.log_cells.after[-1] - jnp.log(slope)
