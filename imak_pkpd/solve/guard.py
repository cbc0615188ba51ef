"""`guard`: the identity, whose reverse derivative turns what is not finite into zero.

A failed solve must not send NaN into the gradients that other subjects share. A
`custom_vjp` would do it for gradients alone; as a linear primitive it also works in
forward mode, under `vmap` and in second derivatives (Laplace).
"""

import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

_guard = Primitive("guard")
_guard.def_impl(lambda x: x)
_guard.def_abstract_eval(lambda x: x)
mlir.register_lowering(_guard, lambda _, x: [x])
batching.defvectorized(_guard)
ad.deflinear2(
    _guard, lambda cotangent, _: [jnp.where(jnp.isfinite(cotangent), cotangent, 0.0)]
)


def guard(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """x itself; in reverse mode its non-finite cotangents become zero."""
    return _guard.bind(x)
