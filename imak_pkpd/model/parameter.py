"""`parameter(...)` declares one field of a model: its unit, meaning, source and scale.

The scale is where theta, eta and omega live: `to_scale` and `from_scale` move a
value between the natural scale and that one.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Scale = Literal["log", "logit", "identity"]


class ParameterInfo(NamedTuple):
    """What a model file says about one parameter."""

    name: str
    unit: str
    meaning: str
    source: str
    scale: Scale


def parameter(unit: str, meaning: str, source: str = "", scale: Scale = "log") -> Any:
    """A model field that the fit file must mention.

    Arguments: `unit` as printed in reports ("1/day", "" for a pure number);
    `meaning` in words; `source` of the parameter's definition; `scale` on which
    theta, eta and omega live.
    """
    if scale not in ("log", "logit", "identity"):
        raise ValueError(
            f"parameter scale is {scale!r}: write 'log', 'logit' or 'identity'"
        )
    return eqx.field(metadata={"parameter": (unit, meaning, source, scale)})


def parameters(model: type[eqx.Module]) -> Mapping[str, ParameterInfo]:
    """The parameters of a model class by name, in the order of the file."""
    return {
        field.name: ParameterInfo(field.name, *field.metadata["parameter"])
        for field in fields(model)  # type: ignore[arg-type]
        if "parameter" in field.metadata
    }


def to_scale(value: Float[Array, "..."], scale: Scale) -> Float[Array, "..."]:
    """The value on the scale of theta: log, logit or unchanged."""
    match scale:
        case "log":
            return jnp.log(value)
        case "logit":
            return jnp.log(value) - jnp.log1p(-value)
        case "identity":
            return value


def from_scale(value: Float[Array, "..."], scale: Scale) -> Float[Array, "..."]:
    """The natural value of a number on the scale of theta."""
    match scale:
        case "log":
            return jnp.exp(value)
        case "logit":
            return jax.nn.sigmoid(value)
        case "identity":
            return value
