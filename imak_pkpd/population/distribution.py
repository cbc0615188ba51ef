"""NumPyro's distributions of one real number, by NumPyro's names and arguments."""

import inspect
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dists
from jaxtyping import Bool, Float
from pydantic_core import PydanticCustomError

from imak_pkpd.population.refusal import hint, refusal

PROBES = np.logspace(-9, 9, 19)
"""Where a support is tried: magnitudes that no pharmacological number leaves."""


def argument_names(name: Any) -> tuple[str, ...]:
    """The argument names of NumPyro's distribution; an unknown name is refused."""
    # Delta has no density: a value without a prior is { fixed }.
    known = [each for each in dists.__all__ if each[0].isupper() and each != "Delta"]
    if name not in known:
        raise PydanticCustomError(
            "distribution",
            "unknown distribution {got}{hint}",
            {"key": "dist", "got": repr(name), "hint": hint(str(name), known)},
        )
    return tuple(_signature(name))


def build(name: str, arguments: Mapping[str, float]) -> dists.Distribution:
    """NumPyro's distribution, its arguments not checked."""
    return getattr(dists, name)(**arguments)


def check(name: str, arguments: Mapping[str, float]) -> None:
    """Refuse missing or invalid arguments, and what is not one real number."""
    missing = _required(name) - set(arguments)
    if missing:
        raise refusal(f"{name} needs {' and '.join(sorted(missing))}")
    try:
        made = getattr(dists, name)(**arguments, validate_args=True)
        single = made.shape() == () and not made.support.is_discrete
    except (TypeError, ValueError, AttributeError, AssertionError) as error:
        raise refusal(f"{name} refuses its arguments: {error}") from error
    if not single or made.event_dim:
        raise refusal(f"{name} is not a distribution of one real number")


def covers_reals(made: dists.Distribution) -> bool:
    """Whether the support is the whole real line."""
    return bool(_supports(made, np.concatenate([-PROBES, PROBES])).all())


def allows_negative(made: dists.Distribution) -> bool:
    """Whether the support holds negative numbers."""
    return bool(_supports(made, -PROBES).any())


def _supports(
    made: dists.Distribution, values: Float[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    return np.asarray(made.support(jnp.asarray(values)))


def _signature(name: str) -> Mapping[str, inspect.Parameter]:
    found = inspect.signature(getattr(dists, name)).parameters
    return {key: value for key, value in found.items() if key != "validate_args"}


def _required(name: str) -> set[str]:
    empty = inspect.Parameter.empty
    return {key for key, value in _signature(name).items() if value.default is empty}
