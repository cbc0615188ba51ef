"""`reads`: which inputs of a function its outputs may depend on."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Literal


def reads(function: Callable[..., Sequence[Any]], size: int) -> list[frozenset[int]]:
    """For each output, the positions of the `size` scalars it may depend on.

    Found in the traced program alone, so it holds for every value; an input that only
    enters where nothing comes out of it may be named too.
    """
    traced = jax.make_jaxpr(function)(*[jnp.zeros((), float)] * size).jaxpr
    found = {v: frozenset({i}) for i, v in enumerate(traced.invars)}

    def of(variable: Any) -> frozenset[int]:
        if isinstance(variable, Literal):
            return frozenset()
        return found.get(variable, frozenset())

    for equation in traced.eqns:
        read = frozenset[int]().union(*map(of, equation.invars))
        found |= dict.fromkeys(equation.outvars, read)
    return [of(v) for v in traced.outvars]
