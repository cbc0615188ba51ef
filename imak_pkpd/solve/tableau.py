"""One explicit Runge-Kutta step on a stacked state, from a diffrax tableau.

The stages are unrolled in Python; no stage is reused from the step before (after a
dose that would be silently wrong).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Vector = Float[Array, " state"]
Field = Callable[[Float[Array, ""], Vector], Vector]
Fields = Callable[[Float[Array, " time"]], Sequence[Callable[[Vector], Vector]]]
"""The field at each of some times: what follows from times alone is computed once."""


class Moved(NamedTuple):
    """The state at the end of a step, its embedded error, and all slopes on the way.

    What is not used costs nothing. Of a tableau whose last stage is the end (FSAL) the
    last slope is that at the end.
    """

    state: Vector
    error: Vector
    slopes: list[Vector]


def explicit_step(
    tableau: Any,
    fields: Fields,
    t: Float[Array, ""],
    y: Vector,
    h: Float[Array, ""],
    first: Vector | None = None,
) -> Moved:
    """One step from y at t over h; `first` is the slope there, where it is known."""
    # In reverse each slope is computed anew from its stage: to keep its parts from the
    # way there would compile a fifth more (imak-5) and run no faster.
    begin, *at = [jax.checkpoint(each) for each in fields(t + h * _nodes(tableau))]
    slopes = [begin(y) if first is None else first]
    for field, row in zip(at, tableau.a_lower, strict=True):
        stage = _kept(y + h * _combine(row, slopes))
        slopes.append(field(stage))
    return Moved(
        y + h * _combine(tableau.b_sol, slopes),
        h * _combine(tableau.b_error, slopes),
        slopes,
    )


def _nodes(tableau: Any) -> Float[np.ndarray, " stage"]:
    """The times of the stages, in steps."""
    return np.concatenate([[0.0], tableau.c])


def _kept(vector: Vector) -> Vector:
    """The vector itself, computed once: XLA would compute it anew for every use, which
    costs a twentieth of the run time and a tenth of the compilation (imak-5)."""
    return jax.lax.optimization_barrier(vector)


def _combine(weights: Any, slopes: list[Vector]) -> Vector:
    """Σ weight·slope over the non-zero weights."""
    terms = [float(w) * k for w, k in zip(weights, slopes, strict=True) if w != 0]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return jnp.asarray(total)
