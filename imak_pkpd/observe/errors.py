"""Residual errors of a measured output: prediction f and SDs in, distribution out.

| error | DV | keys |
|---|---|---|
| additive | f + sigma z | sigma, in the output's unit |
| proportional | f + sigma abs(f) z | sigma, a fraction |
| combined1 | f + (additive + proportional abs(f)) z: SDs add, as in Monolix | both |
| combined2 | f + sqrt(additive^2 + proportional^2 f^2) z: variances add | both |
| lognormal | f exp(sigma z): sigma is the SD of log DV around log f | sigma |
| student_t | f + sigma t: additive; sigma is the SCALE of t, not its SD | sigma, df |

z is standard normal, t is Student's with df degrees of freedom. Every scale is an SD.

A solver returns f <= 0 where the truth is a small positive number. The SD of
`proportional` and the f of `lognormal` are held at or above FLOOR: below it the
log-density is finite and low, and its gradient with respect to f is finite.
"""

import abc
from collections.abc import Mapping
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from imak_pkpd.observe.distribution import (
    AbstractObserved,
    LocationScale,
    LogLocationScale,
)
from imak_pkpd.observe.law import Gaussian
from imak_pkpd.observe.student import Student

FLOOR = 1e-30
"""In the output's unit: far below any assay and any solver's tolerance, and FLOOR^-4,
the largest factor of a second derivative of the log-density, is still a float64."""

Scales = Mapping[str, Float[Array, "..."]]


class AbstractError(eqx.Module):
    """How an assay's report spreads around the prediction."""

    keys: eqx.AbstractClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def distribution(
        self, prediction: Float[Array, "..."], scales: Scales
    ) -> AbstractObserved:
        """The distribution of DV; `scales` are SDs (and df) named as in `keys`."""


class AdditiveError(AbstractError):
    """DV = f + sigma z."""

    keys: ClassVar[tuple[str, ...]] = ("sigma",)

    def distribution(
        self, prediction: Float[Array, "..."], scales: Scales
    ) -> AbstractObserved:
        return LocationScale(Gaussian(), prediction, scales["sigma"])


class ProportionalError(AbstractError):
    """DV = f + sigma abs(f) z."""

    keys: ClassVar[tuple[str, ...]] = ("sigma",)

    def distribution(
        self, prediction: Float[Array, "..."], scales: Scales
    ) -> AbstractObserved:
        scale = jnp.maximum(scales["sigma"] * jnp.abs(prediction), FLOOR)
        return LocationScale(Gaussian(), prediction, scale)


class Combined1Error(AbstractError):
    """DV = f + (additive + proportional abs(f)) z."""

    keys: ClassVar[tuple[str, ...]] = ("additive", "proportional")

    def distribution(
        self, prediction: Float[Array, "..."], scales: Scales
    ) -> AbstractObserved:
        scale = scales["additive"] + scales["proportional"] * jnp.abs(prediction)
        return LocationScale(Gaussian(), prediction, scale)


class Combined2Error(AbstractError):
    """DV = f + sqrt(additive^2 + proportional^2 f^2) z."""

    keys: ClassVar[tuple[str, ...]] = ("additive", "proportional")

    def distribution(
        self, prediction: Float[Array, "..."], scales: Scales
    ) -> AbstractObserved:
        proportional = scales["proportional"] * prediction
        scale = jnp.sqrt(scales["additive"] ** 2 + proportional**2)
        return LocationScale(Gaussian(), prediction, scale)


class LognormalError(AbstractError):
    """log DV = log f + sigma z."""

    keys: ClassVar[tuple[str, ...]] = ("sigma",)

    def distribution(
        self, prediction: Float[Array, "..."], scales: Scales
    ) -> AbstractObserved:
        loc = jnp.log(jnp.maximum(prediction, FLOOR))
        return LogLocationScale(loc, scales["sigma"])


class StudentTError(AbstractError):
    """DV = f + sigma t, t of Student's law with df degrees of freedom."""

    keys: ClassVar[tuple[str, ...]] = ("sigma", "df")

    def distribution(
        self, prediction: Float[Array, "..."], scales: Scales
    ) -> AbstractObserved:
        return LocationScale(Student(scales["df"]), prediction, scales["sigma"])
