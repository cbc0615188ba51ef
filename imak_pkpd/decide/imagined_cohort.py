"""The patients of [decision] under every design, simulated with their samples.

All designs have the same draws, patients and errors of the assays, so that what differs
between them differs by design.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from imak_pkpd.choice import DecisionBlock
from imak_pkpd.data.schedule import Schedule
from imak_pkpd.decide.assays import Assays
from imak_pkpd.decide.decision import Part, decision_of, parts_of
from imak_pkpd.decide.designs import Treated, shown_amounts
from imak_pkpd.decide.evaluate import Batch, Evaluated, aims_of, means_of, of_draws
from imak_pkpd.decide.histories import Given, given_by_design
from imak_pkpd.decide.imagined import ByPatient, Imagined, Reported
from imak_pkpd.decide.sample_gains import Choice
from imak_pkpd.decide.table import Row, Table
from imak_pkpd.model import AbstractModel
from imak_pkpd.solve.cores import on_all_cores
from imak_pkpd.solve.curve import positive_value_at
from imak_pkpd.solve.shared import in_full

BATCHES = 20  # whose spread is the Monte Carlo error: known to 16 %

Sites = Mapping[str, np.ndarray]
Stage = Callable[[str], None]


@dataclass(frozen=True)
class Choices:
    """Every design of the table on the same patients, those solved in all of them.

    `patients` are those of `shown`, the best design or, without one, that of the
    largest utility.
    """

    choice: Choice
    shown: Row
    patients: Imagined


class _Simulated(NamedTuple):
    """One design: means by batch and draw, and every patient, batch after batch."""

    means: Mapping[str, Float[np.ndarray, "batch draw"]]
    patients: ByPatient
    reported: Reported


def choices(
    assays: Assays, model: type[AbstractModel], sites: Sites, number: int, stage: Stage
) -> Choices:
    """About `number` patients of [decision] or more, on as many draws as it has."""
    spec = assays.spec
    block = _spread(decision_of(spec), number)
    parts = list(parts_of(spec, block, model, sites, stage))
    amounts = shown_amounts(block)
    given: list[Given] = []
    found: list[_Simulated] = []
    for part in parts:
        run = _program(part.made, assays)
        for row in amounts:
            stage(f"designs: {len(found)} of {len(parts) * len(amounts)}")
            given.append(given_by_design(part.made, row))
            found.append(_simulated(run, part.some, row, assays))
    table = Table(block, _tables(parts, amounts, found), {})
    return _chosen(table, given, found, block.batches)


def _spread(block: DecisionBlock, number: int) -> DecisionBlock:
    """As many draws in many small batches, each with patients of its own."""
    draws = -(-block.draws * block.batches // BATCHES)
    each = max(number / (BATCHES * draws), 2.0)
    patients = 2 ** int(np.ceil(np.log2(each)))
    return block.model_copy(
        update={"batches": BATCHES, "draws": draws, "patients": patients}
    )


def _chosen(
    table: Table, given: list[Given], found: list[_Simulated], batches: int
) -> Choices:
    best = table.best()
    shown = int(np.argmax(table.utility)) if best is None else best
    solved = np.logical_and.reduce([_solved(each) for each in found])
    blocks = np.arange(len(solved)) * batches // len(solved)
    estimands = {
        name: value
        for name, value in found[shown].patients.items()
        if name not in ("failed", "utility")
    }
    patients = Imagined(estimands, found[shown].reported, solved, blocks)
    choice = Choice(
        given,
        table.holds,
        best,
        np.stack([each.patients["utility"][solved] for each in found], 1),
        [{n: v[solved] for n, v in each.reported.items()} for each in found],
        patients.kept.blocks,
        bool(table.block.limit),
    )
    return Choices(choice, table.row(shown), patients)


def _solved(found: _Simulated) -> Bool[np.ndarray, " patient"]:
    """Who was solved, and has a report on every day."""
    missing = [np.isnan(value).any(1) for value in found.reported.values()]
    return ~np.logical_or.reduce([found.patients["failed"], *missing])


def _tables(
    parts: Sequence[Part],
    amounts: Float[np.ndarray, "design dose"],
    found: list[_Simulated],
) -> list[Evaluated]:
    """What the table of a decision is made of."""
    many = len(amounts)
    return [
        Evaluated(
            part.made.layout,
            amounts,
            {
                name: np.stack([each.means[name] for each in own], -1)
                for name in own[0].means
            },
            {},
        )
        for place, part in enumerate(parts)
        for own in [found[place * many : (place + 1) * many]]
    ]


def _simulated(
    run: Callable[..., Any],
    some: Sequence[Batch],
    amounts: Float[np.ndarray, " dose"],
    assays: Assays,
) -> _Simulated:
    """One design in all batches, on all cores."""

    def one(numbered: tuple[int, Batch]) -> Any:
        number, batch = numbered
        draws = len(next(iter(batch.sites.values())))
        keys = jax.random.split(jax.random.key(number), draws)
        rows = assays.rows(in_full(batch.schedule))
        found = run(batch, keys, rows, jnp.asarray(amounts))
        return jax.tree.map(np.asarray, found)

    made = on_all_cores(one, list(enumerate(some)))
    means = {name: np.stack([m[0][name] for m in made]) for name in made[0][0]}
    patients, reported = (
        {
            # [draw, patient, ...] of every batch in a row
            name: np.concatenate(
                [m[i][name].reshape(-1, *m[i][name].shape[2:]) for m in made]
            )
            for name in made[0][i]
        }
        for i in (1, 2)
    )
    return _Simulated(means, patients, reported)


def _program(made: Treated, assays: Assays) -> Callable[..., Any]:
    def run(batch: Batch, keys: Array, rows: Schedule, amounts: Array) -> Any:
        one = lambda there, *drawn: _one(there, assays, rows, drawn, amounts)  # noqa: E731
        return of_draws(made, batch, one, keys)

    return jax.jit(run)


def _one(
    there: Treated,
    assays: Assays,
    rows: Schedule,
    drawn: tuple[Any, Array],
    amounts: Array,
) -> tuple[dict[str, Array], dict[str, Array], dict[str, Array]]:
    """Means over patients, numbers of each, and reports of each, at one draw."""
    (sites, key), cohort = drawn, there.cohort
    model, schedule = there.individuals(sites, amounts)
    path = cohort.solved(model, schedule)
    values = dict(cohort.read(model, path, tuple(cohort.spec.estimand)))
    failed = values.pop("failed")
    means = means_of(there, values, amounts, failed)
    aims = aims_of(there, values, amounts, soft=False)
    worth = jnp.broadcast_to(aims["utility"], failed.shape)
    times = rows.observations.clock
    outputs = {
        n: jax.vmap(positive_value_at)(curve, times)
        for n, curve in path.outputs.items()
    }
    said = assays.reported(sites, rows, outputs, key)
    return means, {**values, "utility": worth, "failed": failed}, said
