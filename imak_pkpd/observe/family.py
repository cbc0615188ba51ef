"""The distribution of every row of the data: one for all outputs of a family.

A family is the outputs that share an error model and a censoring method. A row measures
one output, so its prediction and its SDs are chosen first and their family's
distribution is made once: likelihood, simulation and residuals all go through it.
`expected` is what the assays report on average, on the scale of DV.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.observe.block import OutputBlock
from imak_pkpd.observe.distribution import AbstractObserved
from imak_pkpd.observe.likelihood import LEFT, Method, conditioned, log_likelihood

Blocks = Mapping[str, OutputBlock]
Rows = Float[Array, "subject observation"]
Sigmas = Mapping[str, Mapping[str, Float[Array, "..."]]]
Kind = tuple[str, Method, int, str]
"""What the outputs of a family share: error, censoring, number of grades, and how a
time to an event is known."""


class Family(NamedTuple):
    """`distribution` holds in the rows where `member` is true, elsewhere it has no
    meaning; `present` are the censoring codes that occur in them; `limit`, where some
    limit is uncertain, stands in for DV of the rows that are below it."""

    distribution: AbstractObserved
    member: Bool[Array, "subject observation"]
    method: Method
    present: frozenset[int]
    limit: Rows | None = None

    def sample(self, key: Array) -> Rows:
        """A new DV of each row, as the assay could report it."""
        return conditioned(self.distribution, self.method).sample(key)

    def reported(self, value: Rows, censor: Int[Array, "subject observation"]) -> Rows:
        """DV, or the limit that the likelihood takes in a row below it."""
        if self.limit is None:
            return value
        return jnp.where(censor == LEFT, self.limit, value)


def families(
    blocks: Blocks,
    schedule: Schedule,
    outputs: Mapping[str, Rows],
    sigmas: Sigmas,
    areas: Mapping[str, Rows] | None = None,
) -> list[Family]:
    """Every row's distribution.

    `outputs` are the model's at all rows; `sigmas` by output the SDs and all other
    numbers of its block; `areas` by hazard its integral since the row before.
    """
    given = {n: prediction(n, b, outputs, areas or {}) for n, b in blocks.items()}
    kinds = {_kind(block): None for block in blocks.values()}
    return [_family(blocks, kind, schedule, given, sigmas) for kind in kinds]


def _kind(block: OutputBlock) -> Kind:
    return block.error, block.censoring, len(block.at_least), block.event


def prediction(
    name: str,
    block: OutputBlock,
    outputs: Mapping[str, Rows],
    areas: Mapping[str, Rows],
) -> Float[Array, "*part subject observation"]:
    """The model's output of a block; of a grade the probabilities, one above one, of a
    time to an event the hazard above its integral since the row before."""
    if block.at_least:
        return jnp.stack([outputs[each] for each in block.at_least])
    if block.timed:
        return jnp.stack([outputs[name], areas[name]])
    return outputs[name]


def expected(
    blocks: Blocks, outputs: Mapping[str, Rows], sigmas: Sigmas
) -> dict[str, Rows]:
    """The DV that each output would have without an error.

    Of a count its mean, of a time to an event the hazard.
    """
    made = {}
    for name, block in blocks.items():
        if block.discrete:
            given = prediction(name, block, outputs, {})
            made[name] = block.error_model.distribution(given, sigmas[name]).mean
        else:
            made[name] = outputs[name]
    return made


def _family(
    blocks: Blocks,
    kind: Kind,
    schedule: Schedule,
    given: Mapping[str, Float[Array, "*part subject observation"]],
    sigmas: Sigmas,
) -> Family:
    places = {
        name: place
        for place, (name, block) in enumerate(blocks.items())
        if _kind(block) == kind
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
    own_blocks = {name: blocks[name] for name in places}
    distribution = model.distribution(own({n: given[n] for n in own_blocks}), scales)
    limits = _limits(own_blocks, jnp.asarray(seen.value), sigmas)
    limit = own(limits) if limits else None
    member = jnp.asarray(seen.mask) & member
    return Family(distribution, member, kind[1], present, limit)


def _limits(
    blocks: Blocks, value: Rows, sigmas: Sigmas
) -> dict[str, Float[Array, "..."]]:
    """The uncertain limit of each output, DV where it is known; empty if all are."""
    if all(block.limit is None for block in blocks.values()):
        return {}
    return {
        name: value if block.limit is None else sigmas[name]["limit"]
        for name, block in blocks.items()
    }


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
            family.reported(value, censor),
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
