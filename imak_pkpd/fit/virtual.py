"""A virtual cohort of a fit: its patients solved at draws of the shared parameters.

`virtual_cohort` makes schedule, patients and mesh once; `Virtual.outcomes` gives every
estimand of every patient at one draw, `cohort_means` their means at many, on all cores.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from operator import itemgetter
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from jaxtyping import Array, Float
from numpyro.handlers import block, seed, substitute, trace

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.estimand import AbstractEstimand
from imak_pkpd.evidence import CohortBlock, VirtualPatients, virtual_patients
from imak_pkpd.fit.over_draws import LANES, over_draws
from imak_pkpd.fit.readings import mean_of_solved, readings_of
from imak_pkpd.fit.sites import columns, draws_of, population_of
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.virtual_schedule import schedule_of
from imak_pkpd.model import AbstractModel, AnyModel
from imak_pkpd.population import (
    Patients,
    PriorBlock,
    given_etas,
    individual_values,
    sample_number,
    sample_shared,
)
from imak_pkpd.population.mean import Population
from imak_pkpd.solve.calibrate import calibrate, refined
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing
from imak_pkpd.solve.shared import in_full, with_shared
from imak_pkpd.solve.split import Split
from imak_pkpd.solve.stepper import AbstractStepper
from imak_pkpd.solve.together import map_together
from imak_pkpd.solve.trajectory import Trajectory, solve

PILOTS = 64  # prior draws that place the steps
PILOT_PATIENTS = 16  # who are solved at each of them
SHARE = 0.99  # of their patients whose error is met; the certificate tells of the rest
STEPPER = Split()  # what crosses a cohort's steps
FEW = 0.005  # lost at a draw: with more it is solved again, with shorter steps
UNSOLVED = 0.05
"""Of the virtual patients of a draw: means over the others move by no more than that. A
few are always faster than the common steps of a cohort allow."""

Sites = Mapping[str, Array]
Outcomes = dict[str, Float[Array, " patient"]]
Arrays = tuple[VirtualPatients, Schedule, Mesh]
Means = dict[str, Float[np.ndarray, " draw"]]


@dataclass(frozen=True, eq=False)
class Virtual:
    """Virtual patients of one cohort, with their schedule and mesh.

    Amounts in `schedule` are those of a design amount of 1; `stepper` crosses `mesh`.
    """

    spec: FitSpec
    model: type[AbstractModel]
    name: str
    patients: VirtualPatients
    schedule: Schedule
    mesh: Mesh
    stepper: AbstractStepper

    @property
    def block(self) -> CohortBlock:
        return self.spec.cohort[self.name]

    @property
    def arrays(self) -> Arrays:
        """What differs between cohorts of one design; what is common to all patients
        has one row."""
        once = self.shared
        return self.patients, once.schedule, once.mesh

    @property
    def shared(self) -> "Virtual":
        """The same with one row of what is common to all patients."""
        schedule, mesh = with_shared(self.schedule, self.mesh)
        return replace(self, schedule=schedule, mesh=mesh)

    @cached_property
    def population(self) -> Population:
        return population_of(self.spec, self.model, {}, self.schedule)

    def individuals(self, sites: Sites) -> tuple[AbstractModel, Schedule]:
        """The models of all patients and what they are given, at one draw.

        Inside a NumPyro model nothing of this is a site of that model.
        """
        drawn = seed(substitute(_shared, dict(sites)), jax.random.key(0))
        numbers, spread, amounts = block(drawn)(self)
        population, there = self.population, self.schedule
        etas = given_etas(population.omega, spread, jnp.asarray(self.patients.normals))
        values = individual_values(
            population, numbers, etas, columns(there), jnp.asarray(there.patient)
        )
        made: Any = self.model(**values)
        factor = jnp.stack([amounts[name] for name in there.dose_names])
        given = jnp.asarray(there.doses.amount) * factor[there.doses.name]
        return made, eqx.tree_at(lambda s: s.doses.amount, there, given)

    def outcomes(self, sites: Sites, estimands: Sequence[str]) -> Outcomes:
        """The estimands of every patient; NaN where one cannot be solved."""
        return self.estimates(*self.individuals(sites), estimands)

    def estimates(
        self, model: AbstractModel, schedule: Schedule, estimands: Sequence[str]
    ) -> Outcomes:
        """The same of given patients."""
        return self.read(model, self.solved(model, schedule), estimands)

    def solved(self, model: AbstractModel, schedule: Schedule) -> Trajectory:
        """The patients over time, on the steps of the cohort."""
        return solve(model, schedule, self.mesh, self.stepper)

    def read(
        self, model: AbstractModel, path: Trajectory, estimands: Sequence[str]
    ) -> Outcomes:
        """The estimands of patients who are solved already."""
        blocks = {name: self.spec.estimand[name] for name in estimands}
        windows = {name: self._window(each) for name, each in blocks.items()}
        found = readings_of(blocks, model, path, windows)
        return {"failed": ~found.solved, **found.estimands}

    def _window(self, estimand: AbstractEstimand) -> tuple[Array, Array | None]:
        """Start and end of an estimand, which are the same for all patients."""
        begin = self.block.last_dose(estimand.dose)
        start = jnp.full(self.schedule.subjects, begin)
        return start, None if estimand.window is None else start + estimand.window


def virtual_cohort(
    spec: FitSpec,
    model: type[AnyModel],
    name: str,
    patients: int | None = None,
    scramble: int = 0,
    like: Virtual | None = None,
) -> Virtual:
    """The cohort `name` with its own number of patients, or another.

    `scramble` is added to the seed of its quasi-random points; `like` is a cohort of
    the same design, whose steps are taken.
    """
    if like is not None:
        return with_patients(like, _who(spec, name, patients, scramble))
    made = unplaced_cohort(spec, model, name, patients, scramble)
    few = with_patients(made, first_patients(made.patients, PILOT_PATIENTS))
    drawn = prior_sites(few, draws=PILOTS, number=made.block.seed)
    return placed_cohort(made, at_each(few.shared.individuals, drawn))


def at_each[Found](
    individuals: Callable[..., Found], sites: Mapping[str, np.ndarray], *more: Array
) -> list[Found]:
    """`individuals` of (sites, *more) at every draw, by one program."""
    found = jax.jit(jax.vmap(individuals))(dict(sites), *more)
    every = jax.tree.map(np.asarray, found)
    draws = len(next(iter(sites.values())))
    return [jax.tree.map(itemgetter(draw), every) for draw in range(draws)]


def placed_cohort(
    cohort: Virtual, pilots: Sequence[tuple[AbstractModel, Schedule]]
) -> Virtual:
    """The cohort on common steps for all patients, which suit the pilots.

    Pilots are some of its patients at several draws, on the schedule of the first.
    """
    made = calibrate(
        [model for model, _ in pilots],
        in_full(pilots[0][1]),
        declared_dosing(cohort.model),
        cohort.block.tolerance,
        cohort.stepper,
        SHARE,
    )
    steps = np.unique(np.asarray(made.clock))
    return replace(cohort, mesh=_events(cohort.schedule, cohort.model, steps))


def unplaced_cohort(
    spec: FitSpec,
    model: type[AnyModel],
    name: str,
    patients: int | None = None,
    scramble: int = 0,
) -> Virtual:
    """The same without steps between its events."""
    assert issubclass(model, AbstractModel)  # estimands need states: `check_fit`
    who = _who(spec, name, patients, scramble)
    schedule = schedule_of(spec.cohort[name], model, who)
    events = _events(schedule, model, [])
    return Virtual(spec, model, name, who, schedule, events, STEPPER)


def _who(
    spec: FitSpec, name: str, patients: int | None, scramble: int
) -> VirtualPatients:
    block = spec.cohort[name]
    return virtual_patients(
        block,
        len(spec.omega.random),
        patients or block.patients,
        block.seed + scramble,
    )


def shared_prior(cohorts: Sequence[Virtual]) -> None:
    """The NumPyro sites of several cohorts: theta and omega once, all amounts."""
    _shared(cohorts[0])
    for other in cohorts[1:]:
        sample_amounts(other)


def prior_sites(*cohorts: Virtual, draws: int, number: int) -> dict[str, np.ndarray]:
    """Draws of all sites from the prior, deterministic ones included.

    Cohorts share theta and omega; the amounts are each one's own.
    """
    return draws_of(partial(shared_prior, cohorts), draws, number)


def median_sites(cohort: Virtual) -> dict[str, Array]:
    """All sites with every prior at its median."""

    def median(site: Mapping[str, Any]) -> Array | None:
        return _median(site["fn"]) if site["type"] == "sample" else None

    sampled = substitute(partial(_shared, cohort), substitute_fn=median)
    sites = trace(seed(sampled, jax.random.key(0))).get_trace()
    kinds = ("sample", "deterministic")
    return {n: s["value"] for n, s in sites.items() if s["type"] in kinds}


def _median(prior: Any) -> Array:
    """By the inverse of the distribution function; without one, of many draws."""
    try:
        return prior.icdf(jnp.full(prior.batch_shape, 0.5))
    except RuntimeError:  # no inverse is written for some of NumPyro's distributions
        return jnp.median(prior.sample(jax.random.key(0), (10_001,)), axis=0)


def first_patients(who: VirtualPatients, number: int) -> VirtualPatients:
    """The first `number` of them: quasi-random points themselves."""
    return VirtualPatients(
        who.normals[:number],
        {name: column[:number] for name, column in who.columns.items()},
        {name: column[:number] for name, column in who.amounts.items()},
    )


def with_patients(cohort: Virtual, who: VirtualPatients) -> Virtual:
    """The cohort with other patients, on the same steps."""
    schedule = schedule_of(cohort.block, cohort.model, who)
    steps = np.unique(np.asarray(cohort.mesh.clock))
    mesh = _events(schedule, cohort.model, steps)
    return replace(cohort, patients=who, schedule=schedule, mesh=mesh)


def cohort_means(
    cohort: Virtual,
    sites: Mapping[str, np.ndarray],
    estimands: Sequence[str],
    advance: Callable[[int], None] = lambda draws: None,
) -> Means:
    """The mean of every estimand over the solved patients, by draw; `failed` is the
    share of the others. Draws at which too many are lost are solved again with
    shorter steps, those still lost once more: all their patients are faster than those
    of other draws.

    Of a crossing the shares of its outcomes. Draws go to all cores in chunks.
    """
    found = dict(means_once(cohort, sites, estimands, advance))
    for limit in (FEW, UNSOLVED):
        again = np.flatnonzero(found["failed"] > limit)
        if not len(again):
            break
        cohort = quartered(cohort)
        some = {name: value[again] for name, value in sites.items()}
        better = means_once(cohort, some, estimands)
        for name, value in found.items():
            value[again] = better[name]
    return found


def quartered(cohort: Virtual) -> Virtual:
    """With every step in quarters."""
    dosing = declared_dosing(cohort.model)
    for _ in range(2):
        cohort = replace(cohort, mesh=refined(cohort.mesh, cohort.schedule, dosing))
    return cohort


def means_once(
    cohort: Virtual,
    sites: Mapping[str, np.ndarray],
    estimands: Sequence[str],
    advance: Callable[[int], None] = lambda draws: None,
) -> Means:
    """The same on the cohort's own steps, whoever is lost."""
    run = _program(
        cohort.spec, cohort.model, cohort.name, cohort.stepper, tuple(estimands)
    )
    arrays = jax.tree.map(jnp.asarray, cohort.arrays)
    return over_draws(lambda chunk: run(chunk, arrays), sites, advance)


@lru_cache(maxsize=8)
def _program(
    spec: FitSpec,
    model: type[AbstractModel],
    name: str,
    stepper: AbstractStepper,
    estimands: tuple[str, ...],
) -> Callable:
    """Means by draw of (sites, arrays): as many other patients compile nothing."""

    def one(values: Sites, cohort: Virtual) -> dict[str, Float[Array, ""]]:
        found = cohort.outcomes(values, estimands)
        failed = found.pop("failed")
        means = {
            name: mean_of_solved(value, failed)
            for name, value in found.items()
            if not name.endswith("_outcome")
        }
        return {**means, "failed": jnp.mean(failed, dtype=float)}

    def many(sites: Sites, arrays: Arrays) -> dict[str, Float[Array, " draw"]]:
        cohort = Virtual(spec, model, name, *arrays, stepper)
        together = LANES // cohort.schedule.subjects
        return map_together(lambda values: one(values, cohort), dict(sites), together)

    return jax.jit(many)


def _shared(cohort: Virtual) -> tuple[dict, Any, dict[str, Array]]:
    """What patients share: theta and coefficients, [omega], amounts by dose name."""
    who = Patients(cohort.schedule.patients, jnp.asarray(cohort.schedule.patient))
    narrow = cohort.population.narrowed(columns(cohort.schedule))
    numbers, spread = sample_shared(cohort.population, narrow, who)
    return numbers, spread, sample_amounts(cohort)


def sample_amounts(cohort: Virtual) -> dict[str, Array]:
    """The NumPyro sites of a cohort's own amounts, by dose name."""
    made = dict.fromkeys(cohort.schedule.dose_names, jnp.ones(()))
    for name, dose in cohort.block.dose.items():
        if isinstance(dose.amount, PriorBlock):
            site = f"{cohort.name}_{name}_amount"
            made[name] = sample_number(site, dose.amount, {})
        else:
            made[name] = numpyro.deterministic(
                f"{cohort.name}_{name}_amount", jnp.asarray(dose.amount)
            )
    return made


def _events(
    schedule: Schedule, model: type[AbstractModel], steps: Sequence[float] | np.ndarray
) -> Mesh:
    extra = [np.asarray(steps, float)] * schedule.subjects
    return build_mesh(schedule, declared_dosing(model), extra)
