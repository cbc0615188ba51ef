"""How a covariate x moves a parameter p. b is the coefficient, r the reference.

| form        | effect                          | scales        |
|-------------|---------------------------------|---------------|
| power       | b ln(x / r) added on the scale  | log, logit    |
| exponential | b (x - r) added on the scale    | log, logit    |
| categorical | b of the level, added on scale  | all           |
| linear      | p (1 + b (x - r)), natural      | log, identity |
| indicator   | p (1 + b) where x is beyond     | log, identity |

On the log scale the first three are p (x / r)^b, p exp(b (x - r)) and p exp(b).
"""

import abc
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from imak_pkpd.population.prior import PriorBlock, Scale
from imak_pkpd.population.refusal import refusal


class Effect(NamedTuple):
    """What covariates do to a parameter: `added` on its scale, natural `factor`."""

    added: Float[Array, "*#subject"] | float = 0.0
    factor: Float[Array, "*#subject"] | float = 1.0


class Values(NamedTuple):
    """A covariate, one value per subject (and interval); `levels` of a text one."""

    x: Float[Array, "*subject"]
    levels: tuple[str, ...] = ()


def _number(block: PriorBlock) -> PriorBlock:
    if block.column is not None or block.of == "variance":
        raise refusal("a coefficient is { fixed } or has a prior, and is no variance")
    return block


Coefficient = Annotated[PriorBlock, AfterValidator(_number)]


class AbstractCovariate(BaseModel, abc.ABC):
    """One effect; `column` defaults to the key of the line."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False
    )
    scales: ClassVar[tuple[Scale, ...]]
    form: str
    column: str | None = None

    @abc.abstractmethod
    def coefficients(self, name: str) -> dict[str, PriorBlock]:
        """The coefficients by site name, `name` being beta_parameter_key."""

    @abc.abstractmethod
    def apply(
        self, values: Values, coefficients: Mapping[str, Float[Array, ""]], name: str
    ) -> Effect:
        """The effect for the coefficients by site name."""

    def problem(self, scale: Scale) -> str | None:
        """Why this form cannot move a parameter on `scale`; None if it can."""
        if scale in self.scales:
            return None
        return (
            f"form '{self.form}' cannot move a parameter on the {scale} scale: it is "
            f"meant for {' and '.join(self.scales)}"
        )


class PowerBlock(AbstractCovariate):
    """p (x / reference)^exponent."""

    scales: ClassVar[tuple[Scale, ...]] = ("log", "logit")
    form: Literal["power"]
    reference: Annotated[float, Field(gt=0)]
    exponent: Coefficient

    def coefficients(self, name: str) -> dict[str, PriorBlock]:
        return {name: self.exponent}

    def apply(
        self, values: Values, coefficients: Mapping[str, Float[Array, ""]], name: str
    ) -> Effect:
        return Effect(added=coefficients[name] * jnp.log(values.x / self.reference))


class ExponentialBlock(AbstractCovariate):
    """p exp(slope (x - reference))."""

    scales: ClassVar[tuple[Scale, ...]] = ("log", "logit")
    form: Literal["exponential"]
    reference: float
    slope: Coefficient

    def coefficients(self, name: str) -> dict[str, PriorBlock]:
        return {name: self.slope}

    def apply(
        self, values: Values, coefficients: Mapping[str, Float[Array, ""]], name: str
    ) -> Effect:
        return Effect(added=coefficients[name] * (values.x - self.reference))


class LinearBlock(AbstractCovariate):
    """p (1 + slope (x - reference))."""

    scales: ClassVar[tuple[Scale, ...]] = ("log", "identity")
    form: Literal["linear"]
    reference: float
    slope: Coefficient

    def coefficients(self, name: str) -> dict[str, PriorBlock]:
        return {name: self.slope}

    def apply(
        self, values: Values, coefficients: Mapping[str, Float[Array, ""]], name: str
    ) -> Effect:
        return Effect(factor=1 + coefficients[name] * (values.x - self.reference))


class IndicatorBlock(AbstractCovariate):
    """p (1 + effect) where x < below, or where x > above."""

    scales: ClassVar[tuple[Scale, ...]] = ("log", "identity")
    form: Literal["indicator"]
    below: float | None = None
    above: float | None = None
    effect: Coefficient

    @model_validator(mode="after")
    def _one_side(self) -> "IndicatorBlock":
        if (self.below is None) == (self.above is None):
            raise refusal("an indicator needs either 'below' or 'above'")
        return self

    def coefficients(self, name: str) -> dict[str, PriorBlock]:
        return {name: self.effect}

    def apply(
        self, values: Values, coefficients: Mapping[str, Float[Array, ""]], name: str
    ) -> Effect:
        beyond = (
            values.x < self.below
            if self.below is not None
            else values.x > jnp.asarray(self.above)
        )
        return Effect(factor=jnp.where(beyond, 1 + coefficients[name], 1.0))


def _text(raw: Any) -> Any:
    return str(raw) if isinstance(raw, int) else raw


class CategoricalBlock(AbstractCovariate):
    """One coefficient per level, zero for the reference level.

    A level is written as in the file: "F", or "1" where the column is a number.
    """

    scales: ClassVar[tuple[Scale, ...]] = ("log", "logit", "identity")
    form: Literal["categorical"]
    reference: Annotated[str, BeforeValidator(_text)]
    effect: Annotated[dict[str, Coefficient], Field(min_length=1)]

    @model_validator(mode="after")
    def _no_reference(self) -> "CategoricalBlock":
        if self.reference in self.effect:
            raise refusal(f"'{self.reference}' is the reference and has an effect")
        return self

    def coefficients(self, name: str) -> dict[str, PriorBlock]:
        return {f"{name}_{level}": block for level, block in self.effect.items()}

    def apply(
        self, values: Values, coefficients: Mapping[str, Float[Array, ""]], name: str
    ) -> Effect:
        added = [
            jnp.where(
                values.x == code(level, values.levels),
                coefficients[f"{name}_{level}"],
                0.0,
            )
            for level in self.effect
        ]
        return Effect(added=sum(added[1:], start=added[0]))

    def strangers(self, levels: tuple[str, ...]) -> tuple[str, ...]:
        """The levels of the data that this line does not mention."""
        return tuple(
            each for each in levels if each not in (self.reference, *self.effect)
        )


CovariateBlock = Annotated[
    PowerBlock | ExponentialBlock | LinearBlock | IndicatorBlock | CategoricalBlock,
    Field(discriminator="form"),
]


def code(level: str, levels: tuple[str, ...]) -> float:
    """The number that stands for a level: its place among text levels, or itself."""
    return float(levels.index(level)) if levels else float(level)
