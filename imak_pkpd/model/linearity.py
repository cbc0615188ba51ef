"""What a model declares to be linear is: tried at one random point.

Closed forms would be silently wrong otherwise.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from imak_pkpd.model.abstract import AbstractLinear, AbstractModel, Inputs
from imak_pkpd.model.dependence import reads
from imak_pkpd.model.parameter import parameters
from imak_pkpd.model.probe import Asked, instance_of

States = Float[np.ndarray, " state"]

EARLY, LATE = 0.3, 2.9  # any two times


class _Tried(NamedTuple):
    """The states by name, their rates at some parameters, and which each may read."""

    names: Sequence[str]
    rates: Callable[[float, States], States]
    reads: Mapping[str, frozenset[str]]


def check_linear(model: type[AbstractLinear]) -> None:
    """A `ValueError` where rates are not linear in the state, or depend on time."""
    tried = _tried(model)
    x, y = np.random.default_rng(1).normal(size=(2, len(tried.names)))
    if not _adds_up(tried.rates, x, y):
        raise ValueError(
            f"{model.__name__}.rates are not linear in the state; derive the class from"
            " AbstractModel"
        )
    if not _steady(tried.rates, x):
        raise ValueError(
            f"{model.__name__}.rates depend on time; derive the class from"
            " AbstractModel"
        )


def check_forcing(model: type[AbstractModel]) -> None:
    """A `ValueError` where a group of `forcing` is not what `AbstractModel` says.

    What its rates read is known from their trace; that they are linear is tried.
    """
    if not model.forcing:
        return
    tried = _tried(model)
    for group in model.forcing:
        if not set(group) <= set(tried.names) or not 1 <= len(group) <= 3:
            raise ValueError(
                f"{model.__name__}.forcing has the group ({', '.join(group)}); name "
                f"one, two or three of the states ({', '.join(tried.names)})"
            )
        _check_reads(model, group, tried.reads)
        _check_group(model, group, tried)
    if {name for group in model.forcing for name in group} == set(tried.names):
        raise ValueError(
            f"{model.__name__}.forcing names every state; derive the class from "
            "AbstractLinear"
        )


def _check_reads(
    model: type[AbstractModel],
    group: Sequence[str],
    reads: Mapping[str, frozenset[str]],
) -> None:
    for place, name in enumerate(group):
        own = group[:1] if place == 0 and len(group) == 3 else group
        others = sorted(reads[name] - set(own))
        if others:
            raise ValueError(
                f"{model.__name__}.forcing names {name}, whose rate reads "
                f"{', '.join(others)}; a group reads itself alone, and the first of "
                "three neither of the others"
            )


def _check_group(
    model: type[AbstractModel], group: Sequence[str], tried: _Tried
) -> None:
    inside = np.isin(tried.names, group)
    x, y = np.random.default_rng(1).normal(size=(2, inside.size)) * inside

    def rates(t: float, state: States) -> States:
        return tried.rates(t, state)[inside]

    if not _adds_up(rates, x, y) or not _steady(rates, x):
        raise ValueError(
            f"{model.__name__}.forcing names {', '.join(group)}, whose rates are not "
            "linear in themselves, or depend on time; leave them out"
        )


def _tried(model: type[AbstractModel]) -> _Tried:
    random = np.random.default_rng(0)
    inputs = Inputs(Asked(1.3), Asked(1.7))  # any numbers, not special ones
    # Parameters between 0.2 and 0.8 are valid on every scale.
    values = {name: random.uniform(0.2, 0.8) for name in parameters(model)}
    made: Any = model(**values)
    kind = type(made.initial(inputs))

    @jax.jit
    def rates(t: float, state: States) -> Array:
        found = made.rates(t, kind(*state), inputs)
        return jnp.stack([jnp.asarray(rate, float) for rate in found])

    return _Tried(
        kind._fields, lambda t, state: np.asarray(rates(t, state)), _read(model)
    )


def _read(model: type[AbstractModel]) -> dict[str, frozenset[str]]:
    """Of each state's rate, the states it may read."""
    one = jnp.ones(())
    inputs, made = Inputs(Asked(one), Asked(one)), instance_of(model, one)
    kind = type(made.initial(inputs))

    def rates(*state: Any) -> list[Any]:
        found = made.rates(one, kind(*state), inputs)
        return [jnp.asarray(each, float) for each in found]

    names = kind._fields
    found = zip(names, reads(rates, len(names)), strict=True)
    return {name: frozenset(names[i] for i in places) for name, places in found}


def _adds_up(rates: Callable[[float, States], States], x: States, y: States) -> bool:
    """rates(x + y) + rates(0) = rates(x) + rates(y).

    Single precision is 1e-7; a law that is not linear is off by about 1 here.
    """
    left = rates(EARLY, x + y) + rates(EARLY, 0 * x)
    return np.allclose(left, rates(EARLY, x) + rates(EARLY, y), rtol=1e-4, atol=1e-4)


def _steady(rates: Callable[[float, States], States], x: States) -> bool:
    return np.allclose(rates(EARLY, x), rates(LATE, x), rtol=1e-4, atol=1e-4)
