"""Exact propagation of an `AbstractLinear` over an interval with constant inputs.

`propagate`  the state after an interval: what the solver calls.
`flow`       the same as a matrix and a constant, to reuse for several states.
The author writes `rates` once, as for an ODE: the matrix K is its derivative with
respect to the state, the constant b its value at the zero state (the infusions), and
x' = K x + b has x(t + dt) = exp(K dt) x(t) + dt phi1(K dt) b, phi1(z) = (e^z - 1) / z.
One or two states in a row have a short closed form (`chain`); all others go through
scaling and doubling (`doubling`). No route divides by a difference of two rates that
may be equal.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imak_pkpd.model.abstract import AbstractLinear, Inputs, Scalar, State
from imak_pkpd.model.chain import one_state, two_states
from imak_pkpd.model.dependence import reads
from imak_pkpd.model.doubling import doubled


class Flow(NamedTuple):
    """x(t + dt) = matrix @ x(t) + constant, states in the order of the NamedTuple."""

    matrix: Float[Array, "state state"]
    constant: Float[Array, " state"]


class _System(NamedTuple):
    """x' = K x + b in scalars: `K[i][j]` is what state j gives to the rate of i."""

    K: list[list[Scalar]]
    b: list[Scalar]
    reads: list[frozenset[int]]


def propagate(
    model: AbstractLinear, t: Scalar, state: State, inputs: Inputs, dt: Scalar
) -> State:
    """The state at t + dt from the state at t, inputs constant, dt >= 0.

    Relative error of an amount: about 1e-15 max(1, k dt) with k the fastest rate.
    Past k dt = 2.6e5 (2.6e5 time constants of the fastest state in one interval) the
    result is NaN, except for models of one or two states in a row, which have no bound.
    """
    matrix, constant = flow(model, t, state, inputs, dt)
    moved = matrix @ jnp.stack([jnp.asarray(x, float) for x in state]) + constant
    return type(state)(*moved)


def flow(
    model: AbstractLinear, t: Scalar, state: State, inputs: Inputs, dt: Scalar
) -> Flow:
    """The interval's matrix and constant; of `state` only the names are used."""
    system = _system(model, t, type(state), inputs)
    match len(system.b), _first(system.reads):
        case 1, _:
            return Flow(*one_state(system.K[0][0], system.b[0], dt))
        case 2, int(first):
            return Flow(*two_states(system.K, system.b, dt, first))
        case _:
            K = jnp.stack([jnp.stack(row) for row in system.K])
            return Flow(*doubled(K, jnp.stack(system.b), dt))


def _system(
    model: AbstractLinear, t: Scalar, names: type[State], inputs: Inputs
) -> _System:
    """K by one forward derivative per state, b at the zero state; K is exact."""
    zero = jnp.zeros((), float)
    size = len(names._fields)

    def rates(*state: Scalar) -> list[Scalar]:
        return [jnp.asarray(r, float) for r in model.rates(t, names(*state), inputs)]

    def column(j: int) -> list[Scalar]:
        def along(x: Scalar) -> list[Scalar]:
            return rates(*(x if i == j else zero for i in range(size)))

        return jax.jvp(along, (zero,), (jnp.ones_like(zero),))[1]

    columns = [column(j) for j in range(size)]
    K = [[columns[j][i] for j in range(size)] for i in range(size)]
    return _System(K, rates(*[zero] * size), reads(rates, size))


def _first(reads: list[frozenset[int]]) -> int | None:
    """Of two states, the one that does not read the other; None when both do."""
    return next((i for i, read in enumerate(reads) if read <= {i}), None)
