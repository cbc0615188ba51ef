"""`placed_arms`: every arm of [trial], ready to be solved for any patients.

The schedule of an arm has a place for every dose that any of its patients may get; who
does not get one gets nothing there. So new patients are numbers of one program.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
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
from imak_pkpd.fit.virtual_schedule import given_to
from imak_pkpd.model import AbstractModel
from imak_pkpd.solve.stepper import AbstractStepper

Values = dict[str, Float[np.ndarray, " patient"]]


class Given(NamedTuple):
    """Planned amounts of each time, and the most a patient gets then, by dose."""

    planned: Mapping[str, float]
    most: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Arm:
    """One arm: its name, its design, and a cohort where everybody is in every group.

    Arms of the same times have the same cohort.
    """

    name: str
    design: CohortBlock
    given: Given
    cohort: Virtual

    @property
    def effects(self) -> int:
        """Random effects of a patient."""
        return len(self.cohort.spec.omega.random)

    def sites(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """Sites of one draw, with the arm's own amounts."""
        own = {
            f"{self.cohort.name}_{name}_amount": jnp.asarray(amount)
            for name, amount in self.given.planned.items()
        }
        return {**drawn, **own}

    @property
    def most(self) -> Float[np.ndarray, " dose"]:
        """What a patient gets at most at a time, by dose of the model."""
        names = self.cohort.schedule.dose_names
        return np.asarray([self.given.most.get(name, np.inf) for name in names])

    def values(self, drawn: Mapping[str, np.ndarray], who: VirtualPatients) -> Values:
        """Every estimand of every patient at one draw; `failed` who is not solved."""
        there = _of_size(self.cohort, len(who.normals))
        found = _program(there)(self.sites(drawn), who, self.most)
        return {name: np.asarray(value) for name, value in found.items()}


def individuals(
    there: Virtual, sites: Sites, who: VirtualPatients, most: Float[Array, " dose"]
) -> tuple[AbstractModel, Schedule]:
    """As many other patients of a cohort, at one draw."""
    made = replace(there, patients=who, schedule=given_to(there.schedule, who))
    model, schedule = made.individuals(sites)
    return model, capped(schedule, most)


@lru_cache(maxsize=32)
def _of_size(cohort: Virtual, many: int) -> Virtual:
    """The cohort with so many patients, whoever they are."""
    effects = len(cohort.spec.omega.random)
    return with_patients(cohort, virtual_patients(cohort.block, effects, many, seed=0))


@lru_cache(maxsize=16)
def _program(there: Virtual) -> Callable[..., dict[str, Array]]:
    """The estimands of (sites, patients, most)."""
    wanted = tuple(there.spec.estimand)

    def run(
        sites: Sites, who: VirtualPatients, most: Float[Array, " dose"]
    ) -> dict[str, Array]:
        return there.estimates(*individuals(there, sites, who, most), wanted)

    return jax.jit(run)


@lru_cache(maxsize=16)
def exactly(cohort: Virtual, stepper: AbstractStepper) -> Virtual:
    """The cohort, solved in another way."""
    return replace(cohort, stepper=stepper)


def placed_arms(
    spec: FitSpec,
    trial: TrialBlock,
    model: type[AbstractModel],
    sites: Mapping[str, np.ndarray],
) -> list[Arm]:
    """The arms in their order, with steps that suit draws of the posterior.

    Arms of the same times have common steps, and so one program.
    """
    bare = [_bare(spec, trial, model, name) for name in trial.arm]
    placed: dict[str, Arm] = {}
    for _, alike in groupby(sorted(bare, key=_times), _times):
        placed |= {arm.name: arm for arm in _placed(list(alike), sites)}
    return [placed[arm.name] for arm in bare]


def _times(arm: Arm) -> list[tuple[str, tuple[float, ...]]]:
    return [(name, dose.times) for name, dose in arm.design.dose.items()]


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
    own = _of_estimands(spec, trial, design)
    made = unplaced_cohort(own, model, cohort, PILOT_PATIENTS)
    return Arm(name, design, Given(planned, most), made)


def _of_estimands(spec: FitSpec, trial: TrialBlock, design: CohortBlock) -> FitSpec:
    """The fit with this design, and with the estimands that the trial reads."""
    read = {each.of for each in trial.endpoint.values()}
    read |= {trial.death.of} if trial.death and trial.death.of else set()
    estimands = {name: each for name, each in spec.estimand.items() if name in read}
    cohorts = {**spec.cohort, trial.cohort: design}
    return spec.model_copy(update={"cohort": cohorts, "estimand": estimands})


def _placed(arms: Sequence[Arm], sites: Mapping[str, np.ndarray]) -> Iterator[Arm]:
    """On steps for the pilots of all arms, at the largest dose that any of them gets:
    all is fastest there. What that means elsewhere is checked by the reference."""
    pilots = [each for arm in arms for each in _pilots(arm, sites)]
    largest = np.max([schedule.doses.amount for _, schedule in pilots], axis=0)
    models = [model for model, _ in pilots]
    schedule = eqx.tree_at(lambda s: s.doses.amount, pilots[0][1], largest)
    cohort = placed_cohort(arms[0].cohort, [(model, schedule) for model in models])
    return (replace(arm, cohort=cohort) for arm in arms)


def _pilots(
    arm: Arm, sites: Mapping[str, np.ndarray]
) -> Iterator[tuple[AbstractModel, Schedule]]:
    """The first patients of an arm at some draws."""
    block = arm.cohort.block
    who = virtual_patients(arm.design, arm.effects, PILOT_PATIENTS, block.seed)
    drawn = thinned(sites, min(PILOTS, len(next(iter(sites.values())))))
    for place in range(len(next(iter(drawn.values())))):
        at = {name: jnp.asarray(value[place]) for name, value in drawn.items()}
        yield individuals(arm.cohort, arm.sites(at), who, jnp.asarray(arm.most))
