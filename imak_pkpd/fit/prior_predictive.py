"""What the priors say of outcomes, before any fit: every patient of a virtual cohort.

`at_medians`   parameters of the population at the medians of their priors: patients
               differ by their random effects, covariates, groups and amounts only
`at_draws`     those parameters drawn: what trials might see
`in_scenario`  at the medians again, each [scenario] on the same patients
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.evidence import ScenarioBlock, virtual_patients
from imak_pkpd.fit.grammar import FitError
from imak_pkpd.fit.over_draws import over_draws
from imak_pkpd.fit.problem import read_model
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.virtual import (
    Sites,
    Virtual,
    first_patients,
    median_sites,
    prior_sites,
    quartered,
    virtual_cohort,
    with_patients,
)
from imak_pkpd.model import AbstractModel
from imak_pkpd.population.refusal import hint
from imak_pkpd.solve.mesh import Mesh
from imak_pkpd.solve.together import map_together

AT_ONCE = 512  # patients, over draws, whose curves are in memory in each thread
IN_TRIALS = 256  # patients for every draw: their mean errs by 0.01 in a probability

PerPatient = Mapping[str, Float[np.ndarray, "draw patient"]]
"""Estimands, `NAME_outcome` of crossings, `failed`, and the parameters of strata."""


Solver = Callable[[AbstractModel, Schedule, Mesh], dict[str, Array]]
"""Compiled once for the medians and all scenarios."""


@dataclass(frozen=True)
class PriorPredictive:
    """Outcomes of every virtual patient; `scenarios` by name, `drawn` at draws."""

    spec: FitSpec
    cohort: str
    medians: PerPatient
    drawn: PerPatient
    scenarios: Mapping[str, PerPatient]


def prior_predictive(
    spec: FitSpec,
    name: str | None = None,
    patients: int | None = None,
    draws: int = 192,
    number: int = 1,
    stage: Callable[[str], None] = lambda text: None,
) -> PriorPredictive:
    """All three, for the cohort `name`, with `patients` instead of its `refined`."""
    chosen = cohort_name(spec, name)
    model = read_model(spec)
    stage("placing the steps of the solver")
    cohort = virtual_cohort(
        spec, model, chosen, patients or spec.cohort[chosen].refined
    )
    stage(f"{cohort.schedule.subjects} patients at the prior medians")
    solver = solver_of(cohort)
    medians = at_medians(cohort, solver)
    stage(f"patients at {draws} draws of the prior")
    drawn = at_draws(cohort, draws, number)
    scenarios = dict(_scenarios(cohort, solver, stage))
    return PriorPredictive(spec, chosen, medians, drawn, scenarios)


def cohort_name(spec: FitSpec, name: str | None) -> str:
    """The cohort that is meant; the only one where none is named."""
    if not spec.cohort:
        text = "there is no [cohort.NAME]: add one with who is treated and how"
        raise FitError([spec.source.sentence((), text)])
    if name is None and len(spec.cohort) == 1:
        return next(iter(spec.cohort))
    if name not in spec.cohort:
        known = ", ".join(spec.cohort)
        near = hint(name or "", spec.cohort)
        raise ValueError(f"--cohort: got {name}{near}: write one of {known}")
    return name


def solver_of(cohort: Virtual) -> Solver:
    """Solves patients of the cohort, or of one with other groups."""

    def solved(model: AbstractModel, schedule: Schedule, mesh: Mesh) -> dict:
        return _estimates(replace(cohort, mesh=mesh), model, schedule)

    return jax.jit(solved)


def _estimates(
    cohort: Virtual, model: AbstractModel, schedule: Schedule
) -> dict[str, Array]:
    cut = {name: getattr(model, name) for name in cohort.block.strata}
    return cohort.estimates(model, schedule, tuple(cohort.spec.estimand)) | cut


def at_medians(cohort: Virtual, solver: Solver) -> PerPatient:
    """With one draw."""
    fine = quartered(cohort)
    return _one_draw(solver(*fine.individuals(median_sites(fine)), fine.mesh))


def _one_draw(found: Mapping[str, Array]) -> PerPatient:
    return {name: np.asarray(value)[None] for name, value in found.items()}


def at_draws(cohort: Virtual, draws: int, number: int) -> PerPatient:
    """At draws of the prior, on the first of the patients."""
    # in the tails of the priors the common steps lose one patient in 600, these none
    few = quartered(with_patients(cohort, first_patients(cohort.patients, IN_TRIALS)))
    sites = prior_sites(few, draws=draws, number=number)
    return over_draws(jax.jit(partial(_at_sites, few)), sites)


def _at_sites(cohort: Virtual, sites: Sites) -> dict[str, Array]:
    def one(values: Sites) -> dict[str, Array]:
        model, schedule = cohort.individuals(values)
        return _estimates(cohort, model, schedule)

    return map_together(one, dict(sites), AT_ONCE // cohort.schedule.subjects)


def _scenarios(
    cohort: Virtual, solver: Solver, stage: Callable[[str], None]
) -> Iterator[tuple[str, PerPatient]]:
    for name, block in cohort.spec.scenario.items():
        if block.cohort in (None, cohort.name):
            stage(f"scenario {name}")
            yield name, in_scenario(cohort, block, solver)


def in_scenario(cohort: Virtual, block: ScenarioBlock, solver: Solver) -> PerPatient:
    """At the prior medians, with what the scenario says is otherwise."""
    fine = quartered(_shared_out(cohort, block))
    model, schedule = fine.individuals(median_sites(fine))
    return _one_draw(solver(*altered(block, model, schedule), fine.mesh))


def altered(
    block: ScenarioBlock, model: AbstractModel, schedule: Schedule
) -> tuple[AbstractModel, Schedule]:
    """Parameters and amounts of all patients, in the scenario."""
    names = block.parameters
    changed = [block.value(name, getattr(model, name)) for name in names]
    if names:
        model = eqx.tree_at(lambda m: [getattr(m, n) for n in names], model, changed)
    factors = [block.amounts.get(name, 1.0) for name in schedule.dose_names]
    given = schedule.doses.amount * jnp.asarray(factors)[schedule.doses.name]
    return model, eqx.tree_at(lambda s: s.doses.amount, schedule, given)


def _shared_out(cohort: Virtual, block: ScenarioBlock) -> Virtual:
    """The same patients, in other groups: thresholds move on their coordinates."""
    if not block.share:
        return cohort
    effects = cohort.patients.normals.shape[1]
    patients = cohort.schedule.subjects
    design = block.design(cohort.block)
    return with_patients(
        cohort, virtual_patients(design, effects, patients, design.seed)
    )
