"""Cytokines of the reaction, their peak, and the grades of toxicity that follow.

The cytokine signal has no unit: it is scaled by its cut-points. Rates in 1/d.
"""

import jax
import jax.numpy as jnp

from imak_pkpd.model.abstract import Scalar

CELLS = 1e9
"""Cells for one unit of the signal."""
IL2 = 10.0
"""IU/mL for one unit of the signal."""
FOLLOWING = 8.0
"""1/d: how fast the running peak follows the signal upwards."""
LEAST = 1e-12
"""A signal without effect: it keeps the logarithm finite before the first dose."""


def cytokine_release(
    reacting: Scalar, antigen: Scalar, il2: Scalar, killed: Scalar, *,
    from_reaction: Scalar, from_il2: Scalar, from_kill: Scalar,
) -> Scalar:  # fmt: skip
    """s_A A s/1e9 + s_I c/10 + s_K k/1e9, 1/d.

    `reacting` A host killers and alloreactive donor cells under the signal `antigen` s,
    `il2` c in IU/mL, `killed` k tumour cells per day.
    """
    reaction = from_reaction * reacting / CELLS * antigen
    return reaction + from_il2 * il2 / IL2 + from_kill * killed / CELLS


def running_peak(signal: Scalar, peak: Scalar) -> Scalar:
    """d peak/dt = 8 max(signal - peak, 0): a smooth maximum over time."""
    return FOLLOWING * jnp.maximum(signal - peak, 0.0)


def running_peak_after(
    first: Scalar, last: Scalar, peak: Scalar, duration: Scalar
) -> Scalar:
    """The running peak after an interval in which the signal is a straight line.

    The exact solution of `running_peak`: it follows once the signal has risen to it,
    and stays where a falling signal meets it.
    """
    some = jnp.where(duration > 0, duration, 1.0)
    slope = (last - first) / some
    rising = slope > LEAST  # one over the square of less is no number
    lag = slope / FOLLOWING  # how far behind a steady rise
    gap = jnp.maximum(first - peak, 0.0)
    wait = jnp.where(rising & (peak > first), peak - first, 0.0)
    wait = jnp.minimum(wait / jnp.where(rising, slope, 1.0), duration)
    meets = jnp.log1p(gap / jnp.where(rising, 1.0, jnp.maximum(-lag, LEAST)))
    stop = jnp.where(rising, duration, jnp.minimum(meets / FOLLOWING, duration))
    away = (lag - gap) * jnp.exp(-FOLLOWING * (stop - wait))
    return jnp.maximum(peak, first + slope * stop - lag + away)


def grade_at_least(peak: Scalar, cut: Scalar, *, slope: Scalar) -> Scalar:
    """P(grade >= k) = logistic(slope ln peak - c_k), c_k the cut-point of grade k."""
    return jax.nn.sigmoid(slope * jnp.log(jnp.maximum(peak, LEAST)) - cut)
