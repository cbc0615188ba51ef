"""What can be chosen, as designs of a cohort: amounts, on a layout of times and groups.

A layout has its own schedule and its own steps; amounts are numbers of a compiled
program, so that there are gradients in them and no amount compiles anything.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from imak_pkpd.choice import DecisionBlock
from imak_pkpd.data.schedule import Schedule
from imak_pkpd.evidence import CohortBlock
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.virtual import (
    PILOT_PATIENTS,
    Sites,
    Virtual,
    at_each,
    first_patients,
    placed_cohort,
    unplaced_cohort,
    virtual_cohort,
    with_patients,
)
from imak_pkpd.model import AbstractModel

PILOTS = 32  # posterior draws that place the steps

Amounts = Float[Array, " dose"]


@dataclass(frozen=True)
class Layout:
    """Times by dose and shares by group; what is not chosen is the cohort's own."""

    times: Mapping[str, tuple[float, ...]]
    group: Mapping[str, float]

    @property
    def words(self) -> str:
        """What distinguishes it, for a table; empty where nothing is chosen."""
        times = (f"{n} at {_listed(each)}" for n, each in self.times.items())
        groups = (f"{n} {share:g}" for n, share in self.group.items())
        return ", ".join((*times, *groups))


def _listed(times: Sequence[float]) -> str:
    return " + ".join(f"{time:g}" for time in times)


def layouts(block: DecisionBlock) -> Iterator[Layout]:
    """Every combination of what is chosen among options."""
    times = [[(name, o) for o in each.options] for name, each in block.times.items()]
    groups = [[(name, s) for s in shares] for name, shares in block.group.items()]
    for chosen in product(*times, *groups):
        yield Layout(
            dict(chosen[: len(times)]),  # type: ignore[arg-type]
            dict(chosen[len(times) :]),  # type: ignore[arg-type]
        )


def shown_amounts(block: DecisionBlock) -> Float[np.ndarray, "design dose"]:
    """Every combination of the amounts of the table; one empty row without any."""
    rows = list(product(*(each.shown for each in block.amount.values())))
    return np.asarray(rows, float).reshape(len(rows), len(block.amount))


def laid_out(cohort: CohortBlock, block: DecisionBlock, layout: Layout) -> CohortBlock:
    """The cohort as it would be treated."""
    spreads = {name: choice.gsd for name, choice in block.amount.items()}
    return cohort.treated_otherwise(layout.times, spreads, layout.group)


def laid_out_spec(spec: FitSpec, block: DecisionBlock, layout: Layout) -> FitSpec:
    """The fit with its cohort as it would be treated."""
    design = laid_out(spec.cohort[block.cohort], block, layout)
    return spec.model_copy(update={"cohort": {**spec.cohort, block.cohort: design}})


@dataclass(frozen=True, eq=False)
class Treated:
    """A cohort in one layout: `parts` are what each time gets of a chosen amount."""

    block: DecisionBlock
    layout: Layout
    cohort: Virtual
    parts: Mapping[str, float]

    def individuals(
        self, sites: Sites, amounts: Amounts
    ) -> tuple[AbstractModel, Schedule]:
        """All patients at one draw, given these amounts, no more than their caps."""
        own = dict(zip(self.block.amount, amounts, strict=True))
        named = {
            f"{self.cohort.name}_{name}_amount": amount * self.parts[name]
            for name, amount in own.items()
        }
        model, schedule = self.cohort.individuals({**sites, **named})
        most = [self._cap(name) for name in schedule.dose_names]
        return model, capped(schedule, jnp.asarray(most))

    def _cap(self, dose: str) -> float:
        choice = self.block.amount.get(dose)
        if choice is None or choice.cap is None:
            return np.inf
        return choice.cap * self.parts[dose]

    def first_patients(
        self, sites: Mapping[str, np.ndarray], parts: Sequence[float]
    ) -> list[tuple[AbstractModel, Schedule]]:
        """The first of them at every draw, given amounts so far between the lowest and
        the highest: draw after draw, at each all of the parts."""
        some = first_patients(self.cohort.patients, PILOT_PATIENTS)
        few = replace(self, cohort=with_patients(self.cohort, some).shared)
        given = jnp.stack([between(self.block, part) for part in parts])
        draws = len(next(iter(sites.values())))
        each = {n: np.repeat(value, len(parts), axis=0) for n, value in sites.items()}
        return at_each(few.individuals, each, jnp.tile(given, (draws, 1)))

    def batch(self, number: int) -> "Treated":
        """The same layout with other patients, on the same steps."""
        own, many = self.cohort, self.block.patients
        other = virtual_cohort(own.spec, own.model, own.name, many, number, like=own)
        return replace(self, cohort=other)


def capped(schedule: Schedule, most: Float[Array, " dose"]) -> Schedule:
    """The schedule where no dose is more than the most of its name."""
    amount = jnp.minimum(schedule.doses.amount, most[schedule.doses.name])
    return eqx.tree_at(lambda s: s.doses.amount, schedule, amount)


def treated(
    spec: FitSpec,
    block: DecisionBlock,
    model: type[AbstractModel],
    layout: Layout,
    sites: Mapping[str, np.ndarray],
) -> Treated:
    """A layout, with steps on which each draw's own are found (`own_meshes`)."""
    own = laid_out_spec(spec, block, layout)
    design = own.cohort[block.cohort]
    bare = unplaced_cohort(own, model, block.cohort, block.patients)
    split = {name: each.split for name, each in block.times.items()}
    parts = {
        name: 1.0 / len(design.dose[name].times) if split.get(name) else 1.0
        for name in block.amount
    }
    made = Treated(block, layout, bare, parts)
    pilots = {name: value[:PILOTS] for name, value in sites.items()}
    # On these steps it is found what each draw needs at both ends (`own_meshes`).
    return replace(made, cohort=placed_cohort(bare, made.first_patients(pilots, [1.0])))


def between(block: DecisionBlock, part: float | Float[Array, " dose"]) -> Amounts:
    """Amounts so far between the lowest and the highest ones, in logarithm."""
    ends = [(each.shown[0], each.shown[-1]) for each in block.amount.values()]
    low, high = jnp.asarray(ends, float).reshape(-1, 2).T
    return low * (high / low) ** jnp.asarray(part)
