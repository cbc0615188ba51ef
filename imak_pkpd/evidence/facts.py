"""[evidence.NAME] of a fit file: one published fact, and its log-likelihood.

    response = { kind = "binomial", k = 23, n = 33, of = "cr", cohort = "trial" }
    cured    = { kind = "at_least", k = 6, n = 33, of = "cure", cohort = "trial",
                 observed = { alpha = 4.0, beta = 2.0 } }
    nk_day_14 = { kind = "normal", value = 5.8, sd = 0.5, scale = "log",
                  of = "nk14", cohort = "rubnitz" }

A patient's outcome has a probability (an estimand); a fact sees its mean over the
cohort, not drawn outcomes. `use = false` keeps a fact on the table but out of the fit.
"""

import abc
from functools import cache
from typing import Annotated, Literal

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc, gammaln, logsumexp
from jax.scipy.stats import norm
from jaxtyping import Array, Float
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from scipy.special import roots_jacobi

from imak_pkpd.evidence.design import as_tuple
from imak_pkpd.population.refusal import refusal

LEAST = 1e-9
"""Means closer to 0 or 1 than this are held there: their logarithm stays finite."""

NODES = 24  # Gauss-Jacobi: exact to degree 47, so for the tail of 47 patients
Mean = Float[Array | np.ndarray, "..."]
Count = Annotated[int, Field(ge=0)]


Names = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]


class AbstractFact(BaseModel, abc.ABC):
    """A fact `of` an estimand, on a `cohort`; `alternatives` are other readings of it.

    Each alternative is an estimand too; what it would have taught is shown beside.
    `study` names whose outcome it is: a [study.NAME], which may overlap with another.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    kind: str
    of: str
    cohort: str
    use: bool = True
    study: str | None = None
    alternatives: Names = ()
    source: str = ""

    @abc.abstractmethod
    def log_likelihood(self, mean: Mean) -> Mean:
        """ln P(fact), given the mean of the estimand over the cohort."""

    @abc.abstractmethod
    def words(self) -> str:
        """The fact, as it is printed."""

    @abc.abstractmethod
    def replicate(self, mean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """What a new cohort would have reported, for each mean."""

    @property
    @abc.abstractmethod
    def reported(self) -> float:
        """What was reported, as `replicate` gives it."""


class _Counted(AbstractFact):
    """k of n."""

    k: Count
    n: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _no_more(self) -> "_Counted":
        if self.k > self.n:
            raise refusal(f"got k = {self.k} of n = {self.n}: k is the smaller one")
        return self

    @property
    def reported(self) -> float:
        return float(self.k)


class BinomialFact(_Counted):
    """k of n patients had the outcome."""

    kind: Literal["binomial"]

    def log_likelihood(self, mean: Mean) -> Mean:
        p = jnp.clip(mean, LEAST, 1.0 - LEAST)
        chosen = _log_choose(self.n, self.k)
        return chosen + self.k * jnp.log(p) + (self.n - self.k) * jnp.log1p(-p)

    def words(self) -> str:
        return f"{self.k}/{self.n}"

    def replicate(self, mean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return rng.binomial(self.n, np.clip(mean, 0.0, 1.0))


class ObservedShare(BaseModel):
    """The share of patients who were followed long enough to be counted: a beta law."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    alpha: Annotated[float, Field(gt=0)]
    beta: Annotated[float, Field(gt=0)]


class AtLeastFact(_Counted):
    """At least k of n were seen with the outcome; who was not seen is not counted.

    The share that was seen is integrated out (Gauss-Jacobi); 1 where it is not given.
    """

    kind: Literal["at_least"]
    observed: ObservedShare | None = None

    def log_likelihood(self, mean: Mean) -> Mean:
        if self.k == 0:
            return jnp.zeros_like(mean)
        shares, weights = self._shares()
        p = jnp.clip(mean[..., None] * shares, LEAST, 1.0 - LEAST)
        tail = betainc(float(self.k), float(self.n - self.k + 1), p)
        return logsumexp(jnp.log(jnp.maximum(tail, 1e-300)), b=weights, axis=-1)

    def _shares(self) -> tuple[np.ndarray, np.ndarray]:
        if self.observed is None:
            return np.ones(1), np.ones(1)
        return _beta_nodes(self.observed.alpha, self.observed.beta)

    def words(self) -> str:
        return f">= {self.k}/{self.n}"

    def replicate(self, mean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        seen = self.observed
        share = 1.0 if seen is None else rng.beta(seen.alpha, seen.beta, mean.shape)
        return rng.binomial(self.n, np.clip(mean * share, 0.0, 1.0))


class NormalFact(AbstractFact):
    """A summary with its standard error; on the log scale `sd` is that of the ln."""

    kind: Literal["normal"]
    value: float
    sd: Annotated[float, Field(gt=0)]
    scale: Literal["identity", "log"] = "identity"

    @model_validator(mode="after")
    def _positive(self) -> "NormalFact":
        if self.scale == "log" and self.value <= 0:
            raise refusal(f"got value = {self.value}: on the log scale it is positive")
        return self

    def log_likelihood(self, mean: Mean) -> Mean:
        if self.scale == "log":
            away = jnp.log(jnp.maximum(mean, 1e-300)) - np.log(self.value)
        else:
            away = mean - self.value
        return norm.logpdf(away, 0.0, self.sd)

    def words(self) -> str:
        return f"{self.value:g}"

    def replicate(self, mean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        noise = self.sd * rng.standard_normal(mean.shape)
        return mean * np.exp(noise) if self.scale == "log" else mean + noise

    @property
    def reported(self) -> float:
        return self.value


EvidenceBlock = Annotated[
    BinomialFact | AtLeastFact | NormalFact, Field(discriminator="kind")
]
"""One line of [evidence]."""


def _log_choose(n: int, k: int) -> Float[Array, ""]:
    return gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)


@cache
def _beta_nodes(alpha: float, beta: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the mean over Beta(alpha, beta)."""
    x, weights = roots_jacobi(NODES, beta - 1.0, alpha - 1.0)
    return 0.5 * (x + 1.0), weights / weights.sum()
