"""A number of a fit file, and how sure we are of it.

`ThetaBlock`  a line of [theta]: its prior lives on the parameter's scale.
`PriorBlock`  every other number (an SD, an exponent, a coefficient): its prior lives
              on the number itself; `of` says whether an SD or a variance is meant.
Both are written as { fixed }, { column }, { median, gsd }, { median, sd } or
{ dist = "NumPyro's name", ... NumPyro's own arguments }.
"""

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dists
from jaxtyping import Array, Float
from pydantic import BaseModel, ConfigDict, Field, model_validator

from imak_pkpd.population.distribution import (
    allows_negative,
    argument_names,
    build,
    check,
    covers_reals,
)
from imak_pkpd.population.refusal import refusal, unknown_key

Scale = Literal["log", "logit", "identity"]
"""The scale of theta, eta and omega, as a model file declares it."""

ToScale = Callable[[Float[Array, "..."], Scale], Float[Array, "..."]]
"""Moves natural values to a scale, or back."""

WAYS = ("fixed", "column", "median", "dist")
HOW_TO = (
    "write { fixed }, { column }, { median, gsd }, { median, sd } or "
    "{ dist = ..., with NumPyro's own arguments }"
)


class AbstractPrior(BaseModel):
    """The keys that every number of a fit file may have.

    Arguments of NumPyro's distribution are the extra keys, allowed with `dist` only.
    """

    model_config = ConfigDict(
        frozen=True, extra="allow", strict=True, allow_inf_nan=False
    )
    __pydantic_extra__: dict[str, float]
    fixed: float | None = None
    column: str | None = None
    median: float | None = None
    gsd: Annotated[float, Field(gt=1)] | None = None
    sd: Annotated[float, Field(gt=0)] | None = None
    dist: str | None = None
    source: str = ""

    @model_validator(mode="before")
    @classmethod
    def _keys(cls, raw: Any) -> Any:
        if isinstance(raw, AbstractPrior):
            return raw
        if not isinstance(raw, Mapping):
            raise refusal(f"got {raw!r}: {HOW_TO}")
        extra = [key for key in raw if key not in cls.model_fields]
        known = argument_names(raw["dist"]) if "dist" in raw else ()
        owner = f"argument of {raw['dist']}" if "dist" in raw else "key"
        for key in extra:
            if key not in known:
                raise unknown_key(key, [*known, *cls.model_fields], owner)
        return raw

    @model_validator(mode="after")
    def _one_way(self) -> "AbstractPrior":
        ways = [way for way in WAYS if getattr(self, way) is not None]
        spread = [key for key in ("gsd", "sd") if getattr(self, key) is not None]
        if len(ways) != 1:
            raise refusal(f"got {' and '.join(ways) or 'no value'}: {HOW_TO}")
        if len(spread) != (ways == ["median"]):
            raise refusal(
                f"got {ways[0]} with {' and '.join(spread) or 'no spread'}: {HOW_TO}"
            )
        if self.dist is not None:
            check(self.dist, self.arguments)
        return self

    @property
    def arguments(self) -> dict[str, float]:
        """The arguments of NumPyro's distribution, by their names there."""
        return dict(self.__pydantic_extra__)

    @property
    def sampled(self) -> bool:
        """Whether the number has a prior, rather than a value or a column."""
        return self.fixed is None and self.column is None

    def __str__(self) -> str:
        shown = self.model_dump(exclude_none=True, exclude_defaults=True)
        shown.pop("source", None)
        pairs = (f"{key} = {value}" for key, value in shown.items() if key != "dist")
        text = ", ".join(pairs)
        return f"{self.dist}({text})" if self.dist else text


class ThetaBlock(AbstractPrior):
    """A typical value: `fixed`, `column` and `median` are natural numbers.

    A spread and a `dist` live on the parameter's scale.
    """

    def distribution(self, scale: Scale, to_scale: ToScale) -> dists.Distribution:
        """The prior of theta on the scale; `to_scale` moves the median there."""
        if self.dist is not None:
            return build(self.dist, self.arguments)
        loc = to_scale(jnp.asarray(self.median, float), scale)
        return dists.Normal(loc, self.sd if self.sd is not None else _log(self.gsd))

    def problem(self, scale: Scale, moved: bool = True) -> str | None:
        """Why this block cannot stand for a parameter on `scale`; None if it can.

        A fixed value that nothing moves (no eta, no covariate) may lie outside the
        scale: zero switches a process off.
        """
        if self.gsd is not None and scale != "log":
            return f"a gsd needs a parameter on the log scale, not {scale}: write sd"
        if scale != "identity" and not self._covers_reals():
            return (
                f"{self.dist} does not cover the real line, which a prior on the "
                f"{scale} scale must: write Normal, StudentT or {{ median, sd }}"
            )
        value = self.fixed if moved and self.median is None else self.median
        return None if value is None else _outside(value, scale)

    def _covers_reals(self) -> bool:
        return self.dist is None or covers_reals(build(self.dist, self.arguments))


class PriorBlock(AbstractPrior):
    """A number with a prior on itself; `of = "variance"`: on the square of an SD."""

    of: Literal["sd", "variance"] = "sd"

    def distribution(self) -> dists.Distribution:
        """The prior: LogNormal for { median, gsd }, Normal for { median, sd }."""
        if self.dist is not None:
            return build(self.dist, self.arguments)
        if self.gsd is not None:
            return dists.LogNormal(_log(self.median), _log(self.gsd))
        return dists.Normal(self.median, self.sd)

    @model_validator(mode="after")
    def _median_of_log(self) -> "PriorBlock":
        if self.gsd is not None and self.median is not None and self.median <= 0:
            raise refusal(f"got median {self.median}: with a gsd it must be positive")
        return self


def positive[Block: PriorBlock](block: Block) -> Block:
    """The block itself, refused where the number could be zero or negative.

    Meant for SDs: `Annotated[PriorBlock, AfterValidator(positive)]`.
    """
    if block.fixed is not None and block.fixed <= 0:
        raise refusal(f"got fixed = {block.fixed}: an SD or a variance is positive")
    if block.sampled and allows_negative(block.distribution()):
        raise refusal(
            f"got {block}, which allows negative values: an SD or a variance needs a "
            "positive prior such as HalfNormal, LogNormal or { median, gsd }"
        )
    return block


def sample_number(
    name: str, block: PriorBlock, columns: Mapping[str, Float[Array, "..."]]
) -> Float[Array, "..."]:
    """The number: fixed, read from its column, or the NumPyro site `name`.

    With `of = "variance"` the square root is returned, named `name` when sampled, and
    the site is `name_variance`.
    """
    variance = block.of == "variance"
    value = _drawn(f"{name}_variance" if variance else name, block, columns)
    if not variance:
        return value
    root = jnp.sqrt(value)
    return numpyro.deterministic(name, root) if block.sampled else root


def _drawn(
    site: str, block: PriorBlock, columns: Mapping[str, Float[Array, "..."]]
) -> Float[Array, "..."]:
    if block.column is not None:
        return columns[block.column]
    if block.fixed is not None:
        return jnp.asarray(block.fixed, float)
    return numpyro.sample(site, block.distribution())


def _outside(value: float, scale: Scale) -> str | None:
    if scale == "log" and value <= 0:
        return f"got {value}, but a parameter on the log scale is positive"
    if scale == "logit" and not 0 < value < 1:
        return f"got {value}, but a parameter on the logit scale lies between 0 and 1"
    return None


def _log(value: float | None) -> float:
    """The logarithm of a number that the validators have found positive."""
    assert value is not None
    return math.log(value)
