"""Errors of what is counted or graded: prediction f in, distribution out.

| error | DV | keys |
|---|---|---|
| binomial | k of n: Binomial(n, f + (1 - f) false_positive) | false_positive, trials |
| beta_binomial | k of n: BetaBinomial(n, c f, c (1 - f)) | concentration c, trials |
| poisson | events: Poisson(f exposure) | exposure |
| bernoulli | 0 or 1, with probability f | none |
| ordinal | the largest k reached, f = P(DV >= k) of each k | none |

f is a fraction or a probability (poisson: events per exposure). A censored row is a
statement of the count: CENS = 1 says K <= DV, CENS = -1 says K >= DV, and both limits
of an interval count. Probabilities and rates are held at or above FLOOR: below it the
log-density is finite and low, and its gradient with respect to f is finite.
"""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from imak_pkpd.observe.binomial import BetaBinomial, Binomial
from imak_pkpd.observe.distribution import AbstractObserved
from imak_pkpd.observe.errors import FLOOR, AbstractError, Scales
from imak_pkpd.observe.ordinal import Ordinal
from imak_pkpd.observe.poisson import Poisson


def _share(p: Float[Array, "..."]) -> Float[Array, "..."]:
    """p within FLOOR and 1; the slope at 1 is that below it."""
    return jnp.where(p > 1, 1.0, jnp.maximum(p, FLOOR))


class BinomialError(AbstractError):
    """k of n scored; one that is truly negative is scored positive now and then."""

    keys: ClassVar[tuple[str, ...]] = ("false_positive", "trials")

    def distribution(
        self, prediction: Float[Array, "..."], scales: Scales
    ) -> AbstractObserved:
        given = scales["false_positive"]
        wrong = jnp.where(given > 1, 1.0, given)
        p = prediction + (1 - prediction) * wrong
        q = (1 - prediction) * (1 - wrong)
        return Binomial(scales["trials"], _share(p), _share(q))


class BetaBinomialError(AbstractError):
    """k of n, wider than binomial; as the concentration grows, binomial."""

    keys: ClassVar[tuple[str, ...]] = ("concentration", "trials")

    def distribution(
        self, prediction: Float[Array, "..."], scales: Scales
    ) -> AbstractObserved:
        total = scales["concentration"]
        a, b = total * _share(prediction), total * _share(1 - prediction)
        return BetaBinomial(scales["trials"], a, b)


class PoissonError(AbstractError):
    """Events, f of them expected per unit of exposure."""

    keys: ClassVar[tuple[str, ...]] = ("exposure",)

    def distribution(
        self, prediction: Float[Array, "..."], scales: Scales
    ) -> AbstractObserved:
        return Poisson(jnp.maximum(prediction * scales["exposure"], FLOOR))


class BernoulliError(AbstractError):
    """Yes (1) or no (0): a grade of one step."""

    keys: ClassVar[tuple[str, ...]] = ()

    def distribution(
        self, prediction: Float[Array, "..."], scales: Scales
    ) -> AbstractObserved:
        return Ordinal((prediction,))


class OrdinalError(AbstractError):
    """A grade; the prediction's first axis is P(grade >= 1), …, P(grade >= K)."""

    keys: ClassVar[tuple[str, ...]] = ()

    def distribution(
        self, prediction: Float[Array, "grade ..."], scales: Scales
    ) -> AbstractObserved:
        return Ordinal(tuple(prediction))
