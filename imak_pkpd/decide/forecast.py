"""`forecast`: new patients from their first samples, given a finished run.

For each: the posterior of the parameters, every estimand up to the horizon, and the
course of every output after the last record. Research use, not a medical device.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpyro.handlers import seed as seeded, substitute

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.decide.finished_run import FinishedRun, Sites
from imak_pkpd.decide.individual_posterior import (
    IndividualPosterior,
    Method,
    individual_posterior,
)
from imak_pkpd.decide.new_patients import NewPatient, NewPatients, new_patients
from imak_pkpd.fit.estimates import estimand_group
from imak_pkpd.fit.posterior import stepper_of
from imak_pkpd.fit.progress import Progress, Silent
from imak_pkpd.fit.records import Records
from imak_pkpd.fit.simulate import CHUNK
from imak_pkpd.fit.sites import sample_sites
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.model import AnyModel
from imak_pkpd.population.omega import Form
from imak_pkpd.solve.mesh import Mesh
from imak_pkpd.solve.together import map_together
from imak_pkpd.solve.trajectory import predict

SEED = 1

ByDraw = Mapping[str, Float[np.ndarray, "draw ..."]]


class Forecast(NamedTuple):
    """One patient's: everything by draw, of equal weight.

    `parameters` and `before` (a patient without samples) are natural values of what
    differs between patients. `estimands` as `fit.estimates` gives them, NaN and an
    outcome of -1 where unsolved. `course` [draw, point] is every output of the model,
    without the error of an assay, at `time`.
    """

    posterior: IndividualPosterior
    parameters: ByDraw
    before: ByDraw
    estimands: ByDraw
    time: Float[np.ndarray, " point"]
    course: ByDraw

    @property
    def name(self) -> str:
        return self.posterior.patient.name

    @property
    def ahead(self) -> Records:
        """The records that were followed to the horizon."""
        return self.posterior.patient.ahead


class Forecasts(NamedTuple):
    """Those of all patients of a file."""

    asked: NewPatients
    patients: tuple[Forecast, ...]
    seed: int
    method: Method


def forecast(
    run: FinishedRun,
    file: Path,
    horizon: float | None = None,
    method: Method = "auto",
    seed: int = SEED,
    progress: Progress | None = None,
) -> Forecasts:
    """The forecasts of all patients in `file`; nothing is written.

    `horizon` is the time after the last dose. Raises a `ValueError` for a file that
    the fit cannot read (see `new_patients`) and for samples that no draw can explain.
    """
    said = progress or Silent()
    said.stage("placing the steps")
    asked = new_patients(run, file, horizon)
    made = []
    for patient in asked.patients:
        said.stage(f"patient {patient.name}")
        made.append(forecast_patient(patient, asked.population, seed, method))
    return Forecasts(asked, tuple(made), seed, method)


def forecast_patient(
    patient: NewPatient, population: Sites, seed: int = SEED, method: Method = "auto"
) -> Forecast:
    """The forecast of one patient."""
    found = individual_posterior(patient, population, seed, method)
    ahead = found.patient.ahead
    estimands = estimand_group(
        ahead.problem, ahead.forms, ahead.mesh, found.sites, chains=1
    )
    return Forecast(
        posterior=found,
        parameters=own_parameters(ahead, found.sites),
        before=own_parameters(patient.ahead, found.before),
        estimands={name: made.values[0, :, 0] for name, made in estimands.items()},
        time=np.asarray(ahead.problem.schedule.observations.time)[0],
        course=course(ahead, found.sites),
    )


def own_parameters(records: Records, sites: Sites) -> dict[str, np.ndarray]:
    """Natural values of the parameters with random effects, at the first record."""
    made = records.problem
    run = _individuals(made.spec, made.model, tuple(records.forms.items()))
    found = run(dict(sites), jax.tree.map(jnp.asarray, made.schedule))
    return {name: np.asarray(value) for name, value in found.items()}


def course(records: Records, sites: Sites) -> dict[str, np.ndarray]:
    """Every output [draw, point]; NaN where a draw cannot be solved."""
    made = records.problem
    run = _course(made.spec, made.model, tuple(records.forms.items()))
    args = jax.tree.map(jnp.asarray, (made.schedule, records.mesh))
    return {n: np.asarray(value) for n, value in run(dict(sites), *args).items()}


Forms = tuple[tuple[str, Form], ...]


def model_of(
    spec: FitSpec, model: type[AnyModel], forms: Forms, values: Any, there: Schedule
) -> AnyModel:
    """The model of the one patient at one draw."""
    known = seeded(substitute(sample_sites, dict(values)), jax.random.key(0))
    individuals, _ = known(spec, model, dict(forms), there)
    own: Any = model(**individuals)
    return own


@lru_cache(maxsize=4)
def _individuals(
    spec: FitSpec, model: type[AnyModel], forms: Forms
) -> Callable[..., dict[str, Array]]:
    def one(values: Any, there: Schedule) -> dict[str, Array]:
        own = model_of(spec, model, forms, values, there)
        return {n: getattr(own, n).reshape(-1)[0] for n in spec.omega.random}

    return jax.jit(jax.vmap(one, in_axes=(0, None)))


@lru_cache(maxsize=4)
def _course(
    spec: FitSpec, model: type[AnyModel], forms: Forms
) -> Callable[..., dict[str, Array]]:
    stepper = stepper_of(spec, model)

    def one(values: Any, there: Schedule, mesh: Mesh | None) -> dict[str, Array]:
        own = model_of(spec, model, forms, values, there)
        found = predict(own, there, mesh, stepper)
        solved = found.status[0] == 0
        return {
            name: jnp.where(solved, value[0], jnp.nan)
            for name, value in found.outputs.items()
        }

    def many(sites: Any, *args: Any) -> dict[str, Array]:
        return map_together(lambda v: one(v, *args), sites, CHUNK)

    return jax.jit(many)
