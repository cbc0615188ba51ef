"""How utility and limits of one design change with the amounts: exact derivatives.

By forward differentiation through the solve of every patient, on common draws.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from imak_pkpd.decide.designs import Treated
from imak_pkpd.decide.evaluate import (
    Batch,
    Numbers,
    Program,
    aims_of,
    by_draw,
    mean_of,
    patients_of,
    solved_by,
)


class Slopes(NamedTuple):
    """Utility, limits and slopes of one design, the mean of every batch, and who was
    left out of it."""

    means: Mapping[str, Float[np.ndarray, "batch ..."]]
    lost: Bool[np.ndarray, "batch draw patient"]


def slopes(
    made: Treated,
    some: Sequence[Batch],
    amounts: Float[np.ndarray, " dose"],
    lost: Bool[np.ndarray, "batch draw patient"],
    program: Program | None = None,
) -> Slopes:
    """Of the patients who are not `lost` already and can be solved.

    `program` is that of `traced_slopes`, where it is compiled already.
    """
    asked = [(b, jnp.asarray(amounts), own) for b, own in zip(some, lost, strict=True)]
    found = solved_by(program or by_draw(made, _slopes), asked)
    out = np.stack([each.pop("lost") for each in found])
    means = {n: np.stack([each[n].mean(0) for each in found]) for n in found[0]}
    return Slopes(means, out)


def traced_slopes(made: Treated, some: Sequence[Batch]) -> jax.stages.Lowered:
    """The program of `slopes`; see `evaluate.traced_rows`."""
    amounts = jnp.ones(len(made.block.amount))
    return by_draw(made, _slopes).lower(some[0], amounts, nobody(some)[0])


def nobody(some: Sequence[Batch]) -> Bool[np.ndarray, "batch draw patient"]:
    """That no patient of these batches is lost."""
    draws = len(next(iter(some[0].sites.values())))
    return np.zeros((len(some), draws, some[0].schedule.subjects), bool)


def _slopes(
    there: Treated, sites: Mapping[str, Array], amounts: Array, lost: Array
) -> Numbers:
    """Utility and limits, and their derivatives by the logarithms of the amounts.

    Of the patients who are not `lost` and can be solved; one who has no derivative
    counts as one who could not be. `lost` are all the others.
    """

    def numbers(logs: Array) -> tuple[Numbers, Array]:
        given = jnp.exp(logs)
        values, failed = patients_of(there, sites, given)
        aims = {
            name: jnp.broadcast_to(row, failed.shape)
            for name, row in aims_of(there, values, given, soft=True).items()
        }
        return aims, failed

    aims, by_log, failed = _with_slopes(numbers, jnp.log(amounts))
    for steep in by_log.values():
        failed |= ~jnp.all(jnp.isfinite(steep), axis=-1)
    lost = lost | failed
    slopes = {f"slope {name}": steep for name, steep in by_log.items()}
    return {**mean_of(aims, lost), **mean_of(slopes, lost), "lost": lost}


def _with_slopes(
    numbers: Callable[[Array], tuple[Numbers, Array]], logs: Float[Array, " dose"]
) -> tuple[Numbers, Numbers, Array]:
    """Numbers [patient], their derivatives [patient, dose], and who failed.

    One amount is one direction: without a batch of them a fifth less to compile.
    """
    if len(logs) == 1:
        one = jnp.ones_like(logs)
        aims, by, failed = jax.jvp(numbers, (logs,), (one,), has_aux=True)
        return aims, {name: slope[:, None] for name, slope in by.items()}, failed

    def with_aims(logs: Array) -> tuple[Numbers, tuple[Numbers, Array]]:
        aims, failed = numbers(logs)
        return aims, (aims, failed)

    by_log, (aims, failed) = jax.jacfwd(with_aims, has_aux=True)(logs)
    return aims, by_log, failed
