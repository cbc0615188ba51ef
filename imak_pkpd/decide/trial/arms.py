"""`placed_arms`: every arm of [trial], ready to be solved for any patients.

The schedule of an arm has a place for every dose that any of its patients may get; who
does not get one gets nothing there. So new patients are numbers of one program.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from imak_pkpd.choice import TrialBlock
from imak_pkpd.data.schedule import Schedule
from imak_pkpd.decide.designs import PILOTS, capped
from imak_pkpd.decide.draws import thinned
from imak_pkpd.evidence import CohortBlock, VirtualPatients, virtual_patients
from imak_pkpd.fit.arm import arm_design
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.virtual import (
    PILOT_PATIENTS,
    Sites,
    Virtual,
    placed_cohort,
    unplaced_cohort,
    with_patients,
)
from imak_pkpd.model import AbstractModel

Values = dict[str, Float[np.ndarray, " patient"]]


class Given(NamedTuple):
    """Planned amounts of each time, and the most a patient gets then, by dose."""

    planned: Mapping[str, float]
    most: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Arm:
    """One arm: its name, its design, and a cohort where everybody is in every group."""

    name: str
    design: CohortBlock
    given: Given
    cohort: Virtual

    @property
    def effects(self) -> int:
        """Random effects of a patient."""
        return len(self.cohort.spec.omega.random)

    def individuals(
        self, sites: Sites, who: VirtualPatients
    ) -> tuple[AbstractModel, Schedule]:
        """All patients at one draw."""
        amounts = {
            f"{self.cohort.name}_{name}_amount": jnp.asarray(amount)
            for name, amount in self.given.planned.items()
        }
        model, schedule = self.of(who).individuals({**sites, **amounts})
        return model, capped(schedule, self.given.most)

    def of(self, who: VirtualPatients) -> Virtual:
        """The cohort with these patients."""
        made = _of_size(self, len(who.normals))
        return replace(made, patients=who, schedule=given_to(made.schedule, who))

    def values(self, sites: Mapping[str, np.ndarray], who: VirtualPatients) -> Values:
        """Every estimand of every patient at one draw; `failed` who is not solved."""
        _of_size(self, len(who.normals))  # made outside of the program
        found = _program(self)(dict(sites), who)
        return {name: np.asarray(value) for name, value in found.items()}


def given_to(schedule: Schedule, who: VirtualPatients) -> Schedule:
    """The schedule with the amounts and covariates of as many other patients."""
    nobody = jnp.zeros(schedule.subjects)
    names, named = schedule.dose_names, schedule.doses.name
    by_dose = jnp.stack([jnp.asarray(who.amounts.get(n, nobody)) for n in names], -1)
    own = jnp.take_along_axis(by_dose, jnp.asarray(named), axis=1)
    amount = jnp.where(jnp.asarray(schedule.doses.mask), own, 0.0)
    made = eqx.tree_at(lambda s: s.doses.amount, schedule, amount)
    if not schedule.columns:
        return made
    column = jnp.stack([jnp.asarray(who.columns[n]) for n in schedule.columns], -1)
    value = jnp.broadcast_to(column[:, None], schedule.covariates.value.shape)
    return eqx.tree_at(lambda s: s.covariates.value, made, value)


@lru_cache(maxsize=32)
def _of_size(arm: Arm, many: int) -> Virtual:
    """The cohort with so many patients, whoever they are."""
    everyone = virtual_patients(arm.cohort.block, arm.effects, many, seed=0)
    return with_patients(arm.cohort, everyone)


@lru_cache(maxsize=16)
def _program(arm: Arm) -> Callable[[Any, VirtualPatients], dict[str, Array]]:
    wanted = tuple(arm.cohort.spec.estimand)

    def run(sites: Sites, who: VirtualPatients) -> dict[str, Array]:
        return arm.of(who).estimates(*arm.individuals(sites, who), wanted)

    return jax.jit(run)


def placed_arms(
    spec: FitSpec,
    trial: TrialBlock,
    model: type[AbstractModel],
    sites: Mapping[str, np.ndarray],
) -> Iterator[Arm]:
    """The arms in their order, with steps that suit draws of the posterior."""
    for name in trial.arm:
        yield _placed(_bare(spec, trial, model, name), sites)


def _bare(
    spec: FitSpec, trial: TrialBlock, model: type[AbstractModel], name: str
) -> Arm:
    block, cohort = trial.arm[name], trial.cohort
    design = arm_design(spec.cohort[cohort], block)
    part = {
        dose: 1.0 / len(design.dose[dose].times) if each.split else 1.0
        for dose, each in block.amount.items()
    }
    planned = {dose: part[dose] * a.planned for dose, a in block.amount.items()}
    most = {
        dose: part[dose] * a.cap
        for dose, a in block.amount.items()
        if a.cap is not None
    }
    own = _of_estimands(spec, trial, _in_every_group(design))
    made = unplaced_cohort(own, model, cohort, PILOT_PATIENTS)
    return Arm(name, design, Given(planned, most), made)


def _in_every_group(design: CohortBlock) -> CohortBlock:
    groups = {n: g.model_copy(update={"share": 1.0}) for n, g in design.group.items()}
    return design.model_copy(update={"group": groups})


def _of_estimands(spec: FitSpec, trial: TrialBlock, design: CohortBlock) -> FitSpec:
    """The fit with this design, and with the estimands that the trial reads."""
    read = {each.of for each in trial.endpoint.values()}
    read |= {trial.death.of} if trial.death and trial.death.of else set()
    estimands = {name: each for name, each in spec.estimand.items() if name in read}
    cohorts = {**spec.cohort, trial.cohort: design}
    return spec.model_copy(update={"cohort": cohorts, "estimand": estimands})


def _placed(bare: Arm, sites: Mapping[str, np.ndarray]) -> Arm:
    block = bare.cohort.block
    who = virtual_patients(bare.design, bare.effects, PILOT_PATIENTS, block.seed)
    drawn = thinned(sites, min(PILOTS, len(next(iter(sites.values())))))
    draws = range(len(next(iter(drawn.values()))))
    pilots = [
        bare.individuals({n: jnp.asarray(v[i]) for n, v in drawn.items()}, who)
        for i in draws
    ]
    return replace(bare, cohort=placed_cohort(bare.cohort, pilots))
