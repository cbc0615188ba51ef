"""One Rosenbrock step on a stacked state: for processes much faster than the others.

A Rosenbrock method is a Runge-Kutta method that solves linear systems with the Jacobian
of the rates instead of nonlinear ones: no iteration, so no tolerance and no failure to
converge, and the same work for every subject.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imak_pkpd.solve.linear_system import Matrix, solver_of
from imak_pkpd.solve.tableau import Field, Vector

Row = tuple[float, ...]


class RosenbrockTableau(NamedTuple):
    """Coefficients as in Hairer & Wanner 1996, Solving ODEs II, section IV.7, eq. 7.25.

    `stages` are a_ij and `couplings` c_ij of the u_j before; `nodes` α_i and `slopes`
    γ_i are the times of the stages and the weights of d f/dt. The last u is the
    embedded error, and the state at the end the last stage with it added.
    """

    gamma: float
    stages: tuple[Row, ...]
    couplings: tuple[Row, ...]
    nodes: Row
    slopes: Row


_LAST = (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950)

RODAS = RosenbrockTableau(
    gamma=0.25,
    stages=(
        (),
        (1.544,),
        (0.9466785280815826, 0.2557011698983284),
        (3.314825187068521, 2.896124015972201, 0.9986419139977817),
        _LAST,
        (*_LAST, 1.0),
    ),
    couplings=(
        (),
        (-5.6688,),
        (-2.430093356833875, -0.2063599157091915),
        (-0.1073529058151375, -9.594562251023355, -20.47028614809616),
        (7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160),
        (
            8.083246795921522,
            -7.981132988064893,
            -31.52159432874371,
            16.31930543123136,
            -6.058818238834054,
        ),
    ),
    nodes=(0.0, 0.386, 0.21, 0.63, 1.0, 1.0),
    slopes=(0.25, -0.1043, 0.1035, -0.0362, 0.0, 0.0),
)
"""Order 4 with an embedded third, L-stable and stiffly accurate: the method of the code
RODAS (Hairer & Wanner 1996, section VI.4).

Its relative of order 4 in linear problems however stiff (Steinebach 1995, TH Darmstadt
preprint 1741) has stages farther out: the logarithm of a tumour that meets its capacity
within a step is lost there, and a receptor is solved no better.
"""


def rosenbrock_step(
    tableau: RosenbrockTableau,
    field: Field,
    t: Float[Array, ""],
    y: Vector,
    h: Float[Array, ""],
) -> tuple[Vector, Vector]:
    """The state at the end of a step from y at t over h, and its embedded error.

    (I - h γ J) u_i = γ (h f(t + α_i h, y + Σ a_ij u_j) + Σ c_ij u_j + h² γ_i df/dt):
    that of the book times h γ, so that a step of length zero changes nothing.
    """
    gamma = tableau.gamma
    slope, jacobian = _with_jacobian(field, t, y)
    _, drift = jax.jvp(lambda s: field(s, y), (t,), (jnp.ones_like(t),))
    solve = solver_of(jnp.eye(y.shape[0]) - h * gamma * jacobian)
    stage, moves = y, [solve(gamma * h * (slope + h * tableau.slopes[0] * drift))]
    # The first stage is the state itself, whose slope came with the Jacobian.
    for row, coupling, node, weight in list(zip(*tableau[1:], strict=True))[1:]:
        stage = y + _sum(row, moves)
        rate = field(t + node * h, stage) + h * weight * drift
        moves.append(solve(gamma * (h * rate + _sum(coupling, moves))))
    return stage + moves[-1], moves[-1]


def _with_jacobian(
    field: Field, t: Float[Array, ""], y: Vector
) -> tuple[Vector, Matrix]:
    """The slope and its derivatives by the state, from one trace."""
    along = lambda v: jax.jvp(lambda x: field(t, x), (y,), (v,))  # noqa: E731
    return jax.vmap(along, out_axes=(None, -1))(jnp.eye(y.shape[0]))


def _sum(weights: Row, moves: list[Vector]) -> Vector:
    terms = [w * u for w, u in zip(weights, moves, strict=True)]
    return jnp.sum(jnp.stack(terms), 0) if len(terms) > 1 else terms[0]
