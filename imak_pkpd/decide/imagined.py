"""New patients who are simulated with their samples: draws of the posterior predictive.

`imagine` takes one patient, with the samples there are, and asks what later ones would
show; `standard_patient` is the first one of the fit, of whom nothing is known yet.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from imak_pkpd.decide.assays import Assays
from imak_pkpd.decide.finished_run import FinishedRun, Sites, population_sites
from imak_pkpd.decide.forecast import model_of
from imak_pkpd.decide.importance import spread_sites
from imak_pkpd.decide.individual_posterior import Sampling, individual_posterior
from imak_pkpd.decide.new_patients import (
    NewPatient,
    alone,
    default_horizon,
    new_patients,
    patients_of,
)
from imak_pkpd.fit.curves import grid_mesh
from imak_pkpd.fit.estimates import estimand_group
from imak_pkpd.fit.posterior import stepper_of
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.records import Records
from imak_pkpd.fit.simulate import CHUNK
from imak_pkpd.solve.together import map_together
from imak_pkpd.solve.trajectory import predict

BLOCKS = 25  # whose spread is the Monte Carlo error: known to 14 %

ByPatient = Mapping[str, Float[np.ndarray, " patient"]]
Reported = Mapping[str, Float[np.ndarray, "patient day"]]


class Imagined(NamedTuple):
    """Simulated patients: estimands, and what each assay reports on each day.

    NaN (an outcome: -1) where `solved` is false. Patients of one block have draws that
    are neighbours.
    """

    estimands: ByPatient
    reported: Reported
    solved: Bool[np.ndarray, " patient"]
    blocks: Int[np.ndarray, " patient"]

    @property
    def kept(self) -> "Imagined":
        """Those that could be solved."""
        there = self.solved
        return Imagined(
            {name: value[there] for name, value in self.estimands.items()},
            {name: value[there] for name, value in self.reported.items()},
            self.solved[there],
            self.blocks[there],
        )


class Known(NamedTuple):
    """Draws of all sites of one patient, given the samples that there are.

    `effective` is how many independent draws they are worth; `sampling` how they were
    found, None where the patient has no sample yet.
    """

    patient: NewPatient
    sites: Sites
    effective: float
    sampling: Sampling | None


def standard_patient(run: FinishedRun, problem: Problem) -> tuple[NewPatient, Sites]:
    """The first patient of the fit as one of whom nothing but doses and covariates is
    known, and the population's draws."""
    first = alone(Records(problem, {}, None), 0).problem
    first = replace(first, schedule=_unsampled(first))
    sites = population_sites(problem.spec, problem.model, first.schedule, run.tree)
    horizon = default_horizon(run.spec, run.tree)
    (patient,) = patients_of(first, sites, horizon)
    return patient, sites


def given_patient(run: FinishedRun, file: Path) -> tuple[NewPatient, Sites]:
    """The one patient of a file; a `ValueError` where there are several."""
    asked = new_patients(run, file, None)
    if len(asked.patients) > 1:
        names = ", ".join(each.name for each in asked.patients)
        raise ValueError(
            f"{file} has {len(asked.patients)} patients ({names}): leave the records "
            "of the one whose next sample is to be planned"
        )
    return asked.patients[0], asked.population


def known(patient: NewPatient, population: Sites, number: int, seed: int) -> Known:
    """The draws of the posterior where there are samples, else of the population with
    new effects: about `number` of them."""
    if np.asarray(patient.records.problem.schedule.observations.mask).any():
        found = individual_posterior(patient, population, seed)
        effective = found.sampling.effective_draws
        return Known(found.patient, found.sites, effective, found.sampling)
    draws = len(next(iter(population.values())))
    points = -(-number // min(draws, number))
    sites = spread_sites(patient, population, seed, number, points)
    return Known(patient, sites, float(len(next(iter(sites.values())))), None)


def imagine(draws: Known, assays: Assays, seed: int) -> Imagined:
    """Estimands of the patient and reports of all assays at every draw."""
    ahead, sites = draws.patient.ahead, draws.sites
    made = ahead.problem
    found = estimand_group(made, ahead.forms, ahead.mesh, sites, chains=1)
    (reported,) = reports([ahead], assays, sites, seed)
    estimands = {name: each.values[0, :, 0] for name, each in found.items()}
    return Imagined(
        estimands,
        reported,
        _solved(estimands, reported),
        blocks_of(len(next(iter(sites.values())))),
    )


def blocks_of(many: int) -> Int[np.ndarray, " patient"]:
    """The block of each of so many draws."""
    return np.arange(many) * BLOCKS // many


def _solved(estimands: ByPatient, reported: Reported) -> Bool[np.ndarray, " patient"]:
    """Who has every number; of a crossing an outcome."""
    numbers = [
        value >= 0 if name.endswith("_outcome") else ~np.isnan(value)
        for name, value in estimands.items()
        if f"{name}_outcome" not in estimands
    ]
    rows = [~np.isnan(value).any(1) for value in reported.values()]
    return np.logical_and.reduce([*numbers, *rows])


def reports(
    aheads: Sequence[Records], assays: Assays, sites: Sites, seed: int
) -> list[Reported]:
    """What all assays report of one patient under each schedule, at every draw.

    Draws have the same errors of the assays under all of them.
    """
    run = _program(aheads[0], assays)
    keys = jax.random.split(jax.random.key(seed), len(next(iter(sites.values()))))
    found: list[Reported] = []
    for ahead in aheads:
        rows = assays.rows(ahead.problem.schedule)
        steps = grid_mesh(ahead.problem, rows, ahead.mesh)
        args = jax.tree.map(jnp.asarray, (rows, steps))
        made = run(dict(sites), keys, *args)
        found.append({name: np.asarray(value) for name, value in made.items()})
    return found


def _program(ahead: Records, assays: Assays) -> Callable[..., dict[str, Array]]:
    spec, model = ahead.problem.spec, ahead.problem.model
    forms, stepper = tuple(ahead.forms.items()), stepper_of(spec, model)

    def one(drawn: Any, there: Any, mesh: Any) -> dict[str, Array]:
        values, key = drawn
        own = model_of(spec, model, forms, values, there)
        found = predict(own, there, mesh, stepper)
        said = assays.reported(values, there, found.outputs, key)
        return {
            n: jnp.where(found.status[0] == 0, v[0], jnp.nan) for n, v in said.items()
        }

    def many(sites: Any, keys: Array, *args: Any) -> dict[str, Array]:
        return map_together(lambda drawn: one(drawn, *args), (sites, keys), CHUNK)

    return jax.jit(many)


def _unsampled(problem: Problem) -> Any:
    """The schedule without samples, over with the last dose."""
    schedule = problem.schedule
    doses = schedule.doses
    last = np.where(np.asarray(doses.mask), np.asarray(doses.clock), -np.inf)
    end = np.maximum(last.max(1, initial=-np.inf), np.asarray(schedule.begin))
    return eqx.tree_at(
        lambda s: (s.observations.mask, s.end),
        schedule,
        (np.zeros_like(schedule.observations.mask), end),
    )
