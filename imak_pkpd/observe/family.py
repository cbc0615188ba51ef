"""The distribution of every row of the data: one for all outputs of a family.

A family is the outputs that share an error model and a censoring method. A row measures
one output, so its prediction and its SDs are chosen first and their family's
distribution is made once: likelihood, simulation and residuals all go through it.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.observe.block import OutputBlock
from imak_pkpd.observe.distribution import AbstractObserved
from imak_pkpd.observe.likelihood import Method, conditioned, log_likelihood

Blocks = Mapping[str, OutputBlock]
Rows = Float[Array, "subject observation"]
Sigmas = Mapping[str, Mapping[str, Float[Array, "..."]]]


class Family(NamedTuple):
    """`distribution` holds in the rows where `member` is true, elsewhere it has no
    meaning; `present` are the censoring codes that occur in them."""

    distribution: AbstractObserved
    member: Bool[Array, "subject observation"]
    method: Method
    present: frozenset[int]

    def sample(self, key: Array) -> Rows:
        """A new DV of each row, as the assay could report it."""
        return conditioned(self.distribution, self.method).sample(key)


def families(
    blocks: Blocks, schedule: Schedule, outputs: Mapping[str, Rows], sigmas: Sigmas
) -> list[Family]:
    """Every row's distribution, from the outputs at all rows and the SDs by output."""
    kinds = {(block.error, block.censoring): None for block in blocks.values()}
    return [_family(blocks, kind, schedule, outputs, sigmas) for kind in kinds]


def _family(
    blocks: Blocks,
    kind: tuple[str, Method],
    schedule: Schedule,
    outputs: Mapping[str, Rows],
    sigmas: Sigmas,
) -> Family:
    places = {
        name: place
        for place, (name, block) in enumerate(blocks.items())
        if (block.error, block.censoring) == kind
    }
    seen, model = schedule.observations, blocks[next(iter(places))].error_model
    measured = jnp.asarray(seen.output)

    def own(by_output: Mapping[str, Float[Array, "..."]]) -> Float[Array, "..."]:
        return of_rows({places[name]: by_output[name] for name in places}, measured)

    scales = {key: own({n: sigmas[n][key] for n in places}) for key in model.keys}
    member = jnp.isin(measured, jnp.asarray(list(places.values())))
    # outputs beyond the last measured one have no entry in `censored`
    codes = [schedule.censored[place : place + 1] for place in places.values()]
    present = frozenset().union(*(found for some in codes for found in some))
    distribution = model.distribution(own(outputs), scales)
    return Family(distribution, jnp.asarray(seen.mask) & member, kind[1], present)


def of_rows(
    by_place: Mapping[int, Float[Array, "..."]],
    measured: Int[Array, "subject observation"],
) -> Float[Array, "..."]:
    """What belongs to the output that each row measures (the first's elsewhere)."""
    (_, chosen), *others = by_place.items()
    for place, value in others:
        chosen = jnp.where(measured == place, value, chosen)
    return chosen


def log_likelihood_by_row(found: list[Family], schedule: Schedule) -> Rows:
    """The log-likelihood of each row; zero in padding."""
    seen = schedule.observations
    value, censor, limit = map(jnp.asarray, (seen.value, seen.censor, seen.limit))
    total = jnp.zeros(value.shape)
    for family in found:
        total += log_likelihood(
            family.distribution,
            value,
            censor,
            limit,
            family.method,
            family.member,
            family.present,
        )
    return total


def in_every_row(found: list[Family], of: Callable[[Family], Rows]) -> Rows:
    """What `of` gives of its own family in each row (the first's in padding)."""
    first, *others = found
    total = of(first)
    for family in others:
        total = jnp.where(family.member, of(family), total)
    return total
