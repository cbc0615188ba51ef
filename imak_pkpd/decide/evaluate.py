"""Every design on the same draws and patients: means, spreads, and what patients get.

Numbers are common to all designs, so that differences between designs are far surer
than the designs themselves. Each batch has its own draws and patients.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from imak_pkpd.choice import DecisionBlock
from imak_pkpd.data.schedule import Schedule
from imak_pkpd.decide.designs import Layout, Treated, between
from imak_pkpd.decide.draws import thinned
from imak_pkpd.decide.own_steps import halved, own_meshes
from imak_pkpd.estimand import Outcome
from imak_pkpd.evidence import VirtualPatients
from imak_pkpd.solve.cores import on_all_cores
from imak_pkpd.solve.mesh import Mesh
from imak_pkpd.solve.stepper import AbstractStepper
from imak_pkpd.solve.together import map_together

QUANTILES = (0.05, 0.5, 0.95)  # of patients
CHANGES = (0.5, 2.0)  # of one summand of the utility, for its sensitivity
SPREAD = "spread "  # before an estimand: quantiles of patients
CHECKED = 4  # draws that are solved by the reference too
SCORE = "boin12[utility]"  # the utility of BOIN12, among the means of a design
LANES = 64
"""Patients and draws in one program. Each draw has steps of its own, and what is beyond
its last one is skipped where no other draw is beside it: half of all the steps."""
SOFT = 0.05  # of a time limit: how soft a share is made for its gradient

Numbers = dict[str, Float[Array, "..."]]
Program = Callable[..., Mapping[str, Array]]
"""Of (batch, amounts, *others): numbers by draw."""
Rows = Float[np.ndarray, "batch draw design"]


class Batch(NamedTuple):
    """Draws and patients of their own; `meshes` are the steps at each draw."""

    sites: Mapping[str, np.ndarray]
    meshes: Mesh
    patients: VirtualPatients
    schedule: Schedule

    def first(self, draws: int) -> "Batch":
        """The same patients at the first draws."""
        sites, meshes = _at((self.sites, self.meshes), slice(draws))
        return self._replace(sites=sites, meshes=meshes)


@dataclass(frozen=True)
class Evaluated:
    """All designs of one layout.

    `amounts` by design; `means` over patients of every estimand, of `utility`, of its
    variants `utility[i]*w`, of BOIN12's utility, of the limits `limit[name]`, and
    `failed`; `spread` of patients by estimand (quantiles, the mean over draws).
    """

    layout: Layout
    amounts: Float[np.ndarray, "design dose"]
    means: Mapping[str, Rows]
    spread: Mapping[str, Float[np.ndarray, "design quantile"]]


def batches(
    made: Treated,
    block: DecisionBlock,
    sites: Mapping[str, np.ndarray],
    room: int = 0,
) -> list[Batch]:
    """So many draws in their order for every batch, and its own quasi-random points.

    Meshes have `room` nodes, or more where a draw needs them.
    """
    drawn = thinned(sites, block.draws * block.batches)
    everything = drawn, own_meshes(made, drawn, room)
    found = []
    for number in range(block.batches):
        own = slice(number * block.draws, (number + 1) * block.draws)
        patients, schedule, _ = made.batch(block.seed + number).cohort.arrays
        found.append(Batch(*_at(everything, own), patients, schedule))
    return found


def with_shorter_steps(
    made: Treated, some: Sequence[Batch], program: Program | None = None
) -> list[Batch]:
    """The batches with half as long steps at draws that lose a patient at the highest
    amounts: pilots did not show how fast patients can be there.

    Patients lost for their steps alone would make designs inadmissible.
    """
    highest = between(made.block, 1.0)
    run = program or by_draw(made, _row)
    found = solved_by(run, [(batch, highest) for batch in some])
    lost = np.concatenate([each["failed"] > 0 for each in found])
    every = [batch.meshes for batch in some]
    meshes = jax.tree.map(lambda *leaves: np.concatenate(leaves), *every)
    finer, draws = halved(made, meshes, lost), len(lost) // len(some)
    return [
        batch._replace(meshes=_at(finer, slice(draws * i, draws * (i + 1))))
        for i, batch in enumerate(some)
    ]


def _at[Tree](by_draw: Tree, draws: slice) -> Tree:
    return jax.tree.map(lambda leaf: leaf[draws], by_draw)


def evaluate(
    made: Treated,
    some: Sequence[Batch],
    amounts: Float[np.ndarray, "design dose"],
    advance: Callable[[int], None] = lambda solved: None,
    program: Program | None = None,
) -> Evaluated:
    """All of `amounts` in one layout: one batch of one design at once on every core.

    `program` is that of `traced_rows`, where it is compiled already.
    """
    run = program or by_draw(made, _row)
    asked = [(batch, jnp.asarray(row)) for batch in some for row in amounts]
    found = solved_by(run, asked, advance)
    shape = (len(some), len(amounts))
    stacked = {
        name: np.stack([each[name] for each in found]).reshape(*shape, -1)
        for name in found[0]
        if not name.startswith(SPREAD)
    }
    spread = {
        name.removeprefix(SPREAD): np.stack([each[name].mean(0) for each in found])
        .reshape(*shape, -1)
        .mean(0)
        for name in found[0]
        if name.startswith(SPREAD)
    }
    means = {name: value.swapaxes(1, 2) for name, value in stacked.items()}
    return Evaluated(made.layout, amounts, means, spread)


def traced_rows(made: Treated, batch: Batch) -> jax.stages.Lowered:
    """The program of `evaluate`, to be compiled while something else runs.

    It is traced here and now: NumPyro's handlers are those of the whole process, so
    that no two threads may trace at once; to compile needs none of them.
    """
    return by_draw(made, _row).lower(batch, jnp.ones(len(made.block.amount)))


def solved_by(
    run: Program,
    asked: Sequence[tuple],
    advance: Callable[[int], None] = lambda solved: None,
) -> list[dict[str, np.ndarray]]:
    """What `run` gives for every batch with its amounts, and what else it takes."""

    def one(arguments: tuple) -> dict[str, np.ndarray]:
        found = run(*arguments)
        advance(1)
        return {name: np.asarray(value) for name, value in found.items()}

    return on_all_cores(one, asked)


@lru_cache(maxsize=16)
def by_draw(made: Treated, function: Callable[..., Numbers]) -> Any:
    """Of (batch, amounts, *others): `function` of (treated, one draw, amounts,
    *others), where each draw has its own others."""

    def run(batch: Batch, amounts: Float[Array, " dose"], *others: Array) -> Numbers:
        def one(there: Treated, sites: Mapping[str, Array], *own: Array) -> Numbers:
            return function(there, sites, amounts, *own)

        return of_draws(made, batch, one, *others)

    return jax.jit(run)


def of_draws[Found](
    made: Treated, batch: Batch, function: Callable[..., Found], *others: Array
) -> Found:
    """`function` of (treated, draw, *others) at every draw of a batch.

    On the draw's own steps, with the patients of the batch; of `others` each draw has
    its own.
    """

    def one(drawn: tuple) -> Found:
        mesh, *rest = drawn
        steps = jax.tree.map(lambda leaf: leaf[None], mesh)  # the same for all patients
        who = {"patients": batch.patients, "schedule": batch.schedule, "mesh": steps}
        return function(replace(made, cohort=replace(made.cohort, **who)), *rest)

    together = LANES // batch.schedule.subjects
    each = (batch.meshes, dict(batch.sites), *others)
    return map_together(one, each, together)


def _row(there: Treated, sites: Mapping[str, Array], amounts: Array) -> Numbers:
    """Means over the solved patients, and quantiles of them."""
    values, failed = patients_of(there, sites, amounts)
    means = means_of(there, values, amounts, failed)
    spread = {
        f"{SPREAD}{name}": jnp.nanquantile(value, jnp.asarray(QUANTILES))
        for name, value in values.items()
        if not name.endswith("_outcome")
    }
    return {**means, **spread}


def patients_of(
    there: Treated, sites: Mapping[str, Array], amounts: Array
) -> tuple[Numbers, Array]:
    """The estimands of every patient at one draw, and who could not be solved."""
    model, schedule = there.individuals(sites, amounts)
    wanted = tuple(there.cohort.spec.estimand)
    found = dict(there.cohort.estimates(model, schedule, wanted))
    return found, found.pop("failed")


def means_of(there: Treated, values: Numbers, amounts: Array, failed: Array) -> Numbers:
    """Over the solved patients: estimands, utility and its variants, limits."""
    rows = {n: v for n, v in values.items() if f"{n}_outcome" not in values}
    rows = {n: v for n, v in rows.items() if not n.endswith("_outcome")}
    named = _named(there.block, values, amounts)
    rows |= {
        **aims_of(there, values, amounts, soft=False),
        **_variants(there.block, named),
        **_score(there.block, values),
    }
    rows = {name: jnp.broadcast_to(row, failed.shape) for name, row in rows.items()}
    return {**mean_of(rows, failed), **lost_share(failed)}


def aims_of(there: Treated, values: Numbers, amounts: Array, soft: bool) -> Numbers:
    """The utility and what limits limit, of every patient."""
    block = there.block
    limits = {f"limit[{n}]": limited(block, n, values, soft) for n in block.limit}
    return {"utility": block.worth.value(_named(block, values, amounts)), **limits}


def _named(block: DecisionBlock, values: Numbers, amounts: Array) -> Numbers:
    """What a utility may name: estimands and amounts."""
    return {**values, **dict(zip(block.amount, amounts, strict=True))}


def mean_of(rows: Numbers, failed: Array) -> Numbers:
    """Over the patients who did not fail, rows [patient, ...]."""
    many = jnp.maximum(jnp.sum(~failed), 1)

    def mean(row: Array) -> Array:
        solved = ~failed.reshape(-1, *(1,) * (row.ndim - 1))
        return jnp.sum(jnp.where(solved, row, 0.0), axis=0) / many

    return {name: mean(row) for name, row in rows.items()}


def lost_share(failed: Array) -> Numbers:
    """The share of patients who failed, by its name."""
    return {"failed": jnp.mean(failed, dtype=float)}


def _variants(block: DecisionBlock, named: Numbers) -> Numbers:
    """The utility with one summand at half and at twice its weight."""
    worth, made = block.worth, {}
    for place in range(len(worth.terms)):
        for change in CHANGES:
            weights = [1.0] * len(worth.terms)
            weights[place] = change
            name = f"utility[{place}]*{change:g}"
            made[name] = worth.weighed(named, tuple(weights))
    return made


def _score(block: DecisionBlock, values: Numbers) -> Numbers:
    """BOIN12's utility of every patient, where it is asked for."""
    rules = block.boin12
    if rules is None:
        return {}
    return {SCORE: rules.score(values[rules.toxicity], values[rules.efficacy])}


def limited(block: DecisionBlock, name: str, values: Numbers, soft: bool) -> Array:
    """What a limit limits, by patient; of a crossing who has not crossed by then.

    Softened, a share has a slope: a logistic over SOFT of the time.
    """
    limit = block.limit[name]
    if limit.later_than is None:
        return values[name]
    crossed = values[f"{name}_outcome"] == Outcome.crossed
    open_still = values[f"{name}_outcome"] == Outcome.not_crossed
    late = jnp.where(crossed, values[name], 0.0) - limit.later_than
    width = SOFT * limit.later_than
    share = jax.nn.sigmoid(late / width) if soft else (late > 0).astype(float)
    return jnp.where(open_still, 1.0, jnp.where(crossed, share, 0.0))


class Check(NamedTuple):
    """A few draws of the first batch, to be solved by a reference."""

    made: Treated
    few: Batch


def check_by(made: Treated, some: Sequence[Batch], reference: AbstractStepper) -> Check:
    exact = replace(made, cohort=replace(made.cohort, stepper=reference))
    return Check(exact, some[0].first(CHECKED))


def solver_error(
    check: Check, found: Evaluated, program: Program | None = None
) -> float:
    """The largest difference of a mean utility from the reference's.

    At the first and the last design of `found`; `program` is that of `traced_rows` for
    the check, where it is compiled already.
    """
    ends = [0, -1]
    exact = evaluate(check.made, [check.few], found.amounts[ends], program=program)
    true = exact.means["utility"][0]
    ours = found.means["utility"][0, : len(true)][:, ends]
    return float(np.nanmax(np.abs(ours - true)))
