"""What every line of [estimand] in a fit file has, and what it is computed from.

`course` has the kinds that describe an output over time, `outcome` those that are the
probability of an outcome. All count from the patient's last dose (of `dose`, where the
model has several), or from the first record where there is none, to the last record
(of a virtual patient: to the cohort's horizon), or to their own `horizon` after that.
"""

import abc
from collections.abc import Mapping
from typing import Annotated, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from imak_pkpd.solve.curve import Curve

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Level = Positive | str
"""A number, or the name of an output that is constant in a patient."""


def _tuple(raw: object) -> object:
    return tuple(raw) if isinstance(raw, list) else raw


Days = Annotated[tuple[float, ...], BeforeValidator(_tuple), Field(min_length=1)]
"""Times after the start, in the model's unit."""

Scalar = Float[Array, ""]
Estimates = dict[str, Array]
"""`value`, and whatever belongs to it by its own name."""


class Reading(NamedTuple):
    """One subject's solve: curves by output, parameters, and when counting starts."""

    outputs: Mapping[str, Curve]
    parameters: Mapping[str, Scalar]
    start: Scalar

    def level(self, level: Level) -> Scalar:
        """The number itself, or the output's value at the end."""
        if isinstance(level, str):
            return self.outputs[level].after[-1]
        return jnp.asarray(level)


class AbstractEstimand(BaseModel, abc.ABC):
    """One quantity of an output; `dose` says from which doses it counts."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    kind: str
    dose: str | None = None

    @abc.abstractmethod
    def estimate(self, reading: Reading) -> Estimates:
        """The numbers of one subject."""

    @abc.abstractmethod
    def definition(self, units: Mapping[str, str]) -> str:
        """What the number is, in words; `units` by name of output, and of "time"."""

    @property
    @abc.abstractmethod
    def outputs_read(self) -> Mapping[str, str]:
        """The outputs of the model that it reads, by the key that names them."""

    @property
    def is_chance(self) -> bool:
        """Whether the number is the probability of an outcome."""
        return False

    @property
    def parameters_read(self) -> Mapping[str, str]:
        """The parameters of the model that it reads, by the key that names them."""
        return {}

    @property
    def reach(self) -> float | None:
        """How long after the start it looks; None: as far as the records go."""
        return None

    @property
    def window(self) -> float | None:
        """Where it ends after the start, if not with the records."""
        return None

    @property
    def since(self) -> str:
        """From when it counts, in words."""
        return f"the last dose{f' of {self.dose}' if self.dose else ''}"


def level_read(key: str, level: Level) -> dict[str, str]:
    """The output that a level names, if it does."""
    return {key: level} if isinstance(level, str) else {}


def level_words(level: Level, unit: str) -> str:
    """A level with its unit."""
    return level if isinstance(level, str) else f"{level:g} {unit}".rstrip()
