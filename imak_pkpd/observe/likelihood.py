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

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from imak_pkpd.observe.distribution import AbstractObserved
from imak_pkpd.observe.truncation import above_zero

Method = Literal["M3", "M4"]

NONE, LEFT, RIGHT, INTERVAL = 0, 1, -1, 2


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
) -> Float[Array, "..."]:
    """The log-likelihood of each row, by the table above.

    Arguments: `distribution` of each DV; `value`, `censor`, `limit` the row's DV,
    CENS and LIMIT; `method` what the assay can report; `mask` the rows that count
    (all). Branches of censoring that no row needs are not computed.
    """
    given = conditioned(distribution, method)
    counted = jnp.asarray(True) if mask is None else mask
    measured = counted & (censor == NONE)
    left, right, interval = _bounds(censor, value, limit, given.lowest)
    lower = jnp.where(censor == INTERVAL, limit, value)
    centre = jax.lax.stop_gradient(distribution.median)

    def safe(rows: Bool[Array, "..."], at: Float[Array, "..."]) -> Float[Array, "..."]:
        """`at`, or where the row is not of this kind a DV with finite derivatives."""
        return jnp.where(rows, at, centre)

    kinds = (
        (counted & left, lambda rows: given.log_cdf(safe(rows, value))),
        (counted & right, lambda rows: given.log_sf(safe(rows, lower))),
        (
            counted & interval,
            lambda rows: given.log_interval(safe(rows, limit), safe(rows, value)),
        ),
    )
    density = given.log_prob(safe(measured, value))
    total = jnp.where(measured, density, 0.0)
    return sum((_if_any(rows, log_p, total) for rows, log_p in kinds), total)


def _bounds(
    censor: Int[Array, "..."],
    value: Float[Array, "..."],
    limit: Float[Array, "..."],
    lowest: float,
) -> tuple[Bool[Array, "..."], Bool[Array, "..."], Bool[Array, "..."]]:
    """Which rows are left-, right- and interval-censored: rows 2 to 6 of the table."""
    between = censor == INTERVAL
    no_lower, no_upper = between & (limit <= lowest), between & jnp.isposinf(value)
    left, right = (censor == LEFT) | no_lower, (censor == RIGHT) | no_upper
    return left, right, between & ~no_lower & ~no_upper


def _if_any(
    rows: Bool[Array, "..."],
    log_p: Callable[[Bool[Array, "..."]], Float[Array, "..."]],
    like: Float[Array, "..."],
) -> Float[Array, "..."]:
    """`log_p` in its rows and 0 elsewhere; not computed when there is no such row."""
    zero = jnp.zeros_like(like)
    return jax.lax.cond(
        rows.any(), lambda: jnp.where(rows, log_p(rows), zero), lambda: zero
    )
