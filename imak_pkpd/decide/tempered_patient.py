"""`temper_patient`: a new patient's posterior by tempered sequential Monte Carlo.

The target is the mixture over the draws of the population, exactly. Which draw it is
is a coordinate like the others: a standard normal whose distribution function counts
the draws, in an order in which neighbours are alike, so that small steps lead to them.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dists
from jax.scipy.stats import norm
from jaxtyping import Array, Float, Int
from numpyro.handlers import block, substitute

from imak_pkpd.decide.effects import informed_forms
from imak_pkpd.decide.finished_run import Sites
from imak_pkpd.decide.new_patients import NewPatient
from imak_pkpd.decide.unconstrained import unconstrained_population
from imak_pkpd.fit.records import Records
from imak_pkpd.fit.sites import sample_sites
from imak_pkpd.fit.target import target
from imak_pkpd.fit.tempering import MOVES_OF_RECORDS, temper

PARTICLES = 512  # of each run
RUNS = 2  # from different seeds: where they disagree, neither has arrived
PLACE = "population_place"


class TemperedPatient(NamedTuple):
    """Particles [run, particle, ...] of the latent sites; effects as in `patient`."""

    patient: NewPatient
    sites: Sites
    acceptance: float
    failed: int
    tried: int


def temper_patient(
    patient: NewPatient, population: Sites, seed: int, particles: int = PARTICLES
) -> TemperedPatient:
    """Runs of `particles` each; `acceptance` is the mean at the last power."""
    informed = patient.sampled_as(informed_forms(patient.records.problem.spec.omega))
    runs = [
        _Mixture(informed.records, in_order(informed.records, population)).run(
            particles, seed + number
        )
        for number in range(RUNS)
    ]
    return TemperedPatient(
        informed,
        {name: np.stack([one.sites[name] for one in runs]) for name in runs[0].sites},
        float(np.mean([one.acceptance for one in runs])),
        sum(one.failed for one in runs),
        sum(one.tried for one in runs),
    )


def in_order(records: Records, population: Sites) -> dict[str, np.ndarray]:
    """The draws along the direction in which they differ most, each in its own SD."""
    flat = unconstrained_population(records.problem, population)
    white = (flat - flat.mean(0)) / (flat.std(0) + 1e-300)
    *_, directions = np.linalg.svd(white, full_matrices=False)
    order = np.argsort(white @ directions[0])
    return {name: value[order] for name, value in population.items()}


def place_of(coordinate: Float[Array, "*n"], draws: int) -> Int[Array, "*n"]:
    """Which draw a standard normal coordinate means."""
    place = jnp.floor(norm.cdf(coordinate) * draws).astype(int)
    return jnp.clip(place, 0, draws - 1)


class _Run(NamedTuple):
    sites: dict[str, np.ndarray]
    acceptance: float
    failed: int
    tried: int


class _Mixture:
    """The prior of one patient under a table of draws, and the samples' likelihood.

    It counts what it could not solve.
    """

    def __init__(self, records: Records, table: Sites) -> None:
        self.records, self.table = records, table
        self.draws = len(next(iter(table.values())))
        self.failed = self.tried = 0

    def run(self, particles: int, seed: int) -> _Run:
        made = target(self.prior(), ())
        latent = [name for name, _ in made.shapes if name != PLACE]
        found = temper(
            made, self.log_likelihood, particles, seed, moves=MOVES_OF_RECORDS
        )
        own = {name: found.sites[name] for name in latent}
        sites = {**self._shared(found.sites), **own}
        return _Run(sites, found.acceptance[-1], self.failed, self.tried)

    def prior(self) -> Callable[[], None]:
        """The NumPyro function; what the population shares is no site of it."""
        made, forms = self.records.problem, self.records.forms
        table = {name: jnp.asarray(value) for name, value in self.table.items()}

        def sampled() -> None:
            unit = dists.Normal(jnp.zeros(()), 1.0)
            place = place_of(numpyro.sample(PLACE, unit), self.draws)
            own = {name: value[place] for name, value in table.items()}
            known = block(substitute(sample_sites, own), hide=[*own])
            known(made.spec, made.model, forms, made.schedule)

        return sampled

    def log_likelihood(
        self, sites: dict[str, np.ndarray]
    ) -> Float[np.ndarray, " particle"]:
        found = self.records.terms({**sites, **self._shared(sites)})
        failed = found["solve_status"].any(-1)
        self.failed += int(failed.sum())
        self.tried += len(failed)
        return np.where(failed, -np.inf, found["log_likelihood"].sum(-1))

    def _shared(self, sites: Sites) -> dict[str, np.ndarray]:
        place = np.asarray(place_of(jnp.asarray(sites[PLACE]), self.draws))
        return {name: value[place] for name, value in self.table.items()}
