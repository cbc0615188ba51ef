"""`forwards`: an elementwise function whose derivatives are taken forwards.

A loop of unknown length has no reverse mode. Each number reaches its own row alone, so
one forward derivative per number gives every slope, and these are all reverse mode
needs.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, Float

Elementwise = Callable[..., Float[Array, "..."]]


def forwards(
    function: Elementwise, distribution: dist.Distribution, *at: Float[Array, "..."]
) -> Float[Array, "..."]:
    """`function(distribution, *at)`, elementwise."""
    leaves, tree = jax.tree.flatten(distribution)
    numbers = jnp.broadcast_arrays(*leaves, *at)

    def of_numbers(*numbers: Array) -> Float[Array, "..."]:
        parameters, rest = numbers[: len(leaves)], numbers[len(leaves) :]
        return function(jax.tree.unflatten(tree, parameters), *rest)

    return _forwards(*numbers, function=of_numbers)


@eqx.filter_custom_jvp
def _forwards(
    *numbers: Float[Array, "*n"], function: Elementwise
) -> Float[Array, "*n"]:
    return function(*numbers)


@_forwards.def_jvp
def _forwards_jvp(
    numbers: tuple, tangents: tuple, *, function: Elementwise
) -> tuple[Float[Array, "*n"], Float[Array, "*n"]]:
    moving = [i for i, tangent in enumerate(tangents) if tangent is not None]

    def of_moving(*some: Array) -> Float[Array, "*n"]:
        moved = dict(zip(moving, some, strict=True))
        return function(*(moved.get(i, number) for i, number in enumerate(numbers)))

    def by_one(*along: Array) -> tuple[Array, Array]:
        return jax.jvp(of_moving, tuple(numbers[i] for i in moving), along)

    # one program for all slopes: the loop runs once
    shape = (1,) * numbers[0].ndim
    unit = jnp.eye(len(moving)).reshape(-1, len(moving), *shape)
    each = jnp.broadcast_to(unit, (*unit.shape[:2], *numbers[0].shape))
    value, slopes = jax.vmap(by_one, out_axes=(None, 0))(*jnp.moveaxis(each, 1, 0))
    return value, sum(
        slope * tangents[i] for slope, i in zip(slopes, moving, strict=True)
    )
