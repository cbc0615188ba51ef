"""Floating-point operations of a JAX function, counted from its jaxpr; a core's peak.

Each element of an arithmetic operation counts one, a logarithm or a power too (a
processor needs more for these), a fused multiply-add two. Loops count by their turns,
of a conditional the dearer branch. What moves or compares numbers counts nothing.
"""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

BASIC = frozenset(("add", "add_any", "sub", "mul", "div", "neg", "abs", "sign"))
POWERS = frozenset(("integer_pow", "square", "sqrt", "rsqrt", "pow", "exp", "log"))
SPECIAL = frozenset(("log1p", "expm1", "tanh", "logistic", "erf", "erfc", "erf_inv"))
ARITHMETIC = BASIC | POWERS | SPECIAL | {"max", "min", "lgamma", "digamma"}
REDUCTIONS = frozenset(("reduce_sum", "reduce_max", "reduce_min", "cumsum"))
SIDE = 1500  # of the square matrices whose product is the measured peak


def flops_of(function: Callable[..., Any], *arguments: Any) -> float:
    """Operations of one call of `function`."""
    return _count(jax.make_jaxpr(function)(*arguments).jaxpr)


def peak_flops() -> float:
    """Float64 operations per CPU second of a matrix product, the best of five."""
    a = np.random.default_rng(0).standard_normal((SIDE, SIDE))
    a @ a
    best = math.inf
    for _ in range(5):
        before = time.process_time()
        a @ a
        best = min(best, time.process_time() - before)
    return 2 * SIDE**3 / best


def _count(jaxpr: Any) -> float:
    return sum(_of(equation) for equation in jaxpr.eqns)


def _of(equation: Any) -> float:
    name = equation.primitive.name
    if name in ARITHMETIC:
        return _floating(equation.outvars[0].aval)
    if name in REDUCTIONS:
        return _floating(equation.invars[0].aval)
    if name == "dot_general":
        return _product(equation)
    inner = [_count(each) for each in _inside(equation.params)]
    if name == "cond":
        return max(inner, default=0.0)
    return sum(inner) * equation.params.get("length", 1)


def _floating(aval: Any) -> float:
    """The elements of an array of real numbers."""
    return float(aval.size) if np.issubdtype(aval.dtype, np.floating) else 0.0


def _product(equation: Any) -> float:
    (contracted, _), _ = equation.params["dimension_numbers"]
    left = equation.invars[0].aval
    depth = math.prod(left.shape[axis] for axis in contracted)
    return 2.0 * depth * equation.outvars[0].aval.size


def _inside(parameters: dict[str, Any]) -> Iterator[Any]:
    """The jaxprs that an equation holds: of calls, loops and branches."""
    for value in parameters.values():
        for each in value if isinstance(value, tuple | list) else (value,):
            if hasattr(each, "eqns"):
                yield each
            elif hasattr(each, "jaxpr"):
                yield each.jaxpr
