"""`solver_of`: one small dense matrix, several right-hand sides, all subjects at once.

The inverse is swept state by state (Gauss-Jordan in place; Goodnight 1979, Am Stat
33:149), which is a few operations on whole matrices. LAPACK, called matrix by matrix,
costs ten times as much for 5 states and the same for 19, for which an unrolled LU takes
minutes to compile.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Matrix = Float[Array, "state state"]
Vector = Float[Array, " state"]


def solver_of(matrix: Matrix) -> Callable[[Vector], Vector]:
    """x of matrix x = b, as a function of b, with derivatives of any order and mode.

    Not finite where the matrix is singular. The sweeps themselves are not
    differentiated: the derivative of x solves the same system.
    """
    inverse = swept(jax.lax.stop_gradient(matrix))

    def solve(right: Vector) -> Vector:
        return jax.lax.custom_linear_solve(
            lambda x: _times(matrix, x),
            right,
            lambda _, b: _times(inverse, b),
            transpose_solve=lambda _, b: _times(inverse.T, b),
        )

    return solve


def swept(matrix: Matrix) -> Matrix:
    """The inverse; every state is swept once, the one with the largest pivot first.

    Pivots are taken on the diagonal. Rows are not exchanged, as which number of a
    column is the largest depends on the units of the states, and a diagonal does not.
    Of I - h γ J it is 1 or more wherever a state slows itself down, and could vanish
    only for one that grows by itself e^4-fold in a step, which no mesh lets it do.
    """
    place = jnp.arange(matrix.shape[0])
    waits = jnp.ones(matrix.shape[0], bool)
    for _ in range(matrix.shape[0]):
        pivots = jnp.where(waits, jnp.abs(jnp.diagonal(matrix)), -1.0)
        at = jnp.argmax(pivots)
        matrix, waits = _sweep(matrix, at), waits & (place != at)
    return matrix


def _sweep(matrix: Matrix, at: Array) -> Matrix:
    """The matrix with unknown and right-hand side of one state exchanged."""
    own = jnp.arange(matrix.shape[0]) == at
    row = jnp.where(own, 1.0, matrix[at]) / matrix[at, at]
    column = jnp.where(own, 0.0, matrix[:, at])
    others = jnp.where(own[None, :], 0.0, matrix) - column[:, None] * row[None, :]
    # Once for all uses: XLA would compute every sweep anew within the next (3 times the
    # compilation for 19 states, and 3 times the run time).
    return jax.lax.optimization_barrier(jnp.where(own[:, None], row, others))


def _times(matrix: Matrix, x: Vector) -> Vector:
    # as a sum XLA fuses it with its neighbours, a product of matrices it would call
    return jnp.sum(matrix * x[None, :], -1)
