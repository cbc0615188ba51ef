"""`in_rows`: a costly elementwise function of a distribution, where rows need it.

Nothing is computed when no row does. The derivatives by each parameter are computed
beside the value: reverse mode then keeps one number per row and parameter, not the
inside of a quadrature, and has no conditional of its own.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from imak_pkpd.observe.distribution import AbstractObserved

Elementwise = Callable[..., Float[Array, "..."]]


def in_rows(
    function: Elementwise,
    distribution: AbstractObserved,
    rows: Bool[Array, "..."],
    *at: Float[Array, "..."],
) -> Float[Array, "..."]:
    """`function(distribution, *at)` in `rows`, 0 elsewhere; elementwise."""
    leaves, tree = jax.tree.flatten(distribution)
    rows, *numbers = jnp.broadcast_arrays(rows, *leaves, *at)

    def of_numbers(*numbers: Array) -> Float[Array, "..."]:
        parameters, rest = numbers[: len(leaves)], numbers[len(leaves) :]
        return function(jax.tree.unflatten(tree, parameters), *rest)

    return _in_rows(*numbers, rows=rows, function=of_numbers)


@eqx.filter_custom_jvp
def _in_rows(
    *numbers: Float[Array, "*n"], rows: Bool[Array, "*n"], function: Elementwise
) -> Float[Array, "*n"]:
    return _if_any(rows, lambda: [function(*numbers)], 1)[0]


@_in_rows.def_jvp
def _in_rows_jvp(
    numbers: tuple, tangents: tuple, *, rows: Bool[Array, "*n"], function: Elementwise
) -> tuple[Float[Array, "*n"], Float[Array, "*n"]]:
    moving = [i for i, tangent in enumerate(tangents) if tangent is not None]

    def of_moving(*some: Array) -> Float[Array, "*n"]:
        moved = dict(zip(moving, some, strict=True))
        return function(*(moved.get(i, number) for i, number in enumerate(numbers)))

    def value_and_slopes() -> list[Array]:
        value, slopes_by = jax.vjp(of_moving, *(numbers[i] for i in moving))
        return [value, *slopes_by(jnp.ones_like(value))]

    value, *slopes = _if_any(rows, value_and_slopes, 1 + len(moving))
    return value, sum(
        slope * tangents[i] for slope, i in zip(slopes, moving, strict=True)
    )


def _if_any(
    rows: Bool[Array, "*n"], compute: Callable[[], list[Array]], count: int
) -> list[Array]:
    """What `compute` gives in `rows`, 0 elsewhere; not computed without any row."""
    zero = jnp.zeros(rows.shape)
    return jax.lax.cond(
        rows.any(),
        lambda: [jnp.where(rows, each, zero) for each in compute()],
        lambda: [zero] * count,
    )
