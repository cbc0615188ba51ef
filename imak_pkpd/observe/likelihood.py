"""The log-likelihood of measured and censored DVs: one rule for every error model.

| CENS | DV | LIMIT | the row gives (M3) |
|---|---|---|---|
| 0 none | measured value | not read | log-density at DV |
| 1 left | limit of quantification | not read | log P(Y <= DV) |
| -1 right | upper limit | not read | log P(Y >= DV) |
| 2 interval | upper limit | lower limit | log P(LIMIT <= Y <= DV) |
| 2, LIMIT at or below the support (0 or -inf) | upper limit | | as 1 |
| 2, DV = inf | | lower limit | as -1, at LIMIT |
| any, masked (padding, MDV) | not read | not read | 0, with zero gradient |

M4 gives the same of Y on condition that Y >= 0, in every row; a log-normal Y is
positive, so M4 is M3 there. A measured DV < 0 has density 0 under M4: log 0 = -inf.
"""

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from imak_pkpd.observe.distribution import AbstractObserved
from imak_pkpd.observe.sparse import in_rows
from imak_pkpd.observe.truncation import above_zero

Method = Literal["M3", "M4"]

NONE, LEFT, RIGHT, INTERVAL = 0, 1, -1, 2
CENSORED = frozenset((LEFT, RIGHT, INTERVAL))


def conditioned(distribution: AbstractObserved, method: Method) -> AbstractObserved:
    """The distribution whose density, simulation and residuals `method` means."""
    return above_zero(distribution) if method == "M4" else distribution


def log_likelihood(
    distribution: AbstractObserved,
    value: Float[Array, "..."],
    censor: Int[Array, "..."],
    limit: Float[Array, "..."],
    method: Method = "M3",
    mask: Bool[Array, "..."] | None = None,
    present: frozenset[int] = CENSORED,
) -> Float[Array, "..."]:
    """The log-likelihood of each row, by the table above.

    Arguments: `distribution` of each DV; `value`, `censor`, `limit` the row's DV,
    CENS and LIMIT; `method` what the assay can report; `mask` the rows that count
    (all); `present` the censoring codes that may occur (all): the others are not
    compiled (0.4 CPU-seconds for tails, 0.7 for intervals), and a row of another code
    is NaN. A code that may occur but does not costs no time.
    """
    given = conditioned(distribution, method)
    counted = jnp.asarray(True) if mask is None else mask
    side, between = _sides(censor, value, limit, given.lowest)
    centre = jax.lax.stop_gradient(distribution.median)

    def rows(
        chosen: Bool[Array, "..."], at: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """`at`; where the row is not of this kind, a DV with finite derivatives."""
        return jnp.where(chosen, at, centre)

    measured, one_sided = counted & (censor == NONE), counted & (side != 0)
    inside = counted & between
    total = jnp.where(measured, given.log_prob(rows(measured, value)), 0.0)
    if present:
        at = rows(one_sided, jnp.where(jnp.isposinf(value), limit, value)), side
        total += in_rows(lambda d, *at: d.log_tail(*at), given, one_sided, *at)
    if INTERVAL in present:
        at = rows(inside, limit), rows(inside, value)
        total += in_rows(lambda d, *at: d.log_interval(*at), given, inside, *at)
    known = jnp.isin(censor, jnp.asarray((NONE, *present))) | ~counted
    return jnp.where(known, total, jnp.nan)


def _sides(
    censor: Int[Array, "..."],
    value: Float[Array, "..."],
    limit: Float[Array, "..."],
    lowest: float,
) -> tuple[Float[Array, "..."], Bool[Array, "..."]]:
    """1 of a left-, -1 of a right-censored row, else 0; and who has two limits."""
    interval = censor == INTERVAL
    no_lower, no_upper = interval & (limit <= lowest), interval & jnp.isposinf(value)
    left, right = (censor == LEFT) | no_lower, (censor == RIGHT) | no_upper
    side = jnp.where(left, 1.0, jnp.where(right, -1.0, 0.0))
    return side, interval & ~no_lower & ~no_upper
