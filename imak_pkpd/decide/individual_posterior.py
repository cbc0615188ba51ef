"""`individual_posterior`: what a new patient's samples say, given the population.

Importance weights first; where k-hat or ESS say that the points are too few, tempered
particles. NUTS is the third way, on a normal approximation of the population. What was
done, and what it is worth, is in `Sampling`.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from arviz_stats.base import array_stats
from jaxtyping import Float

from imak_pkpd.decide.draws import at_most
from imak_pkpd.decide.finished_run import Sites
from imak_pkpd.decide.importance import DRAWS, ENOUGH, POINTS, Weighed, weigh
from imak_pkpd.decide.new_patients import NewPatient
from imak_pkpd.decide.nuts_patient import NutsPatient, nuts_patient
from imak_pkpd.decide.tempered_patient import TemperedPatient, temper_patient
from imak_pkpd.decide.unconstrained import Adequacy
from imak_pkpd.fit.certificate import K_HAT, Certificate

Found = Literal["importance", "tempered", "nuts"]
Method = Literal["auto", Found]

KEPT = 1000  # draws of equal weight: 5 % points rest on 50 of them
RHAT = 1.05  # between runs of particles or chains: a shift of a third of an SD
REPEATS = 2  # finer meshes before the certificate is reported as failed


@dataclass(frozen=True)
class Sampling:
    """How one patient's posterior was found.

    `points` weighed pairs of `population_draws` draws and effects, with `k_hat`, `ess`
    and `population_ess` (effective draws of the population); `failed_solves` of
    `solves` in all. `rhat` and `acceptance` belong to particles and chains,
    `divergences` and `normal` (adequacy of the population's normal) to NUTS.
    """

    method: Found
    why: str
    population_draws: int
    points: int
    k_hat: float
    ess: float
    population_ess: float
    solves: int
    failed_solves: int
    rhat: float | None = None
    acceptance: float | None = None
    divergences: int | None = None
    normal: Adequacy | None = None
    certificate: Certificate | None = None

    @property
    def reliable(self) -> bool:
        """Whether nothing speaks against the draws."""
        weights = self.k_hat <= K_HAT and self.ess >= ENOUGH
        drawn = weights if self.rhat is None else self.rhat <= RHAT
        certified = self.certificate is None or self.certificate.certified
        return bool(drawn and certified and not self.divergences)

    @property
    def effective_draws(self) -> float:
        """Of the kept draws, for Monte Carlo errors."""
        return min(self.ess, KEPT) if self.method == "importance" else KEPT

    def to_dict(self) -> dict[str, Any]:
        """For JSON: what was not made is null."""
        normal = None if self.normal is None else self.normal._asdict()
        made = None if self.certificate is None else self.certificate.to_dict()
        more = {"normal": normal, "certificate": made, "reliable": self.reliable}
        return asdict(self) | more


class IndividualPosterior(NamedTuple):
    """Draws [draw, ...] of all latent sites of one patient, of equal weight.

    `before` are points of the population posterior for a patient without samples.
    """

    patient: NewPatient
    sites: Sites
    before: Sites
    sampling: Sampling


def individual_posterior(
    patient: NewPatient,
    population: Sites,
    seed: int,
    method: Method = "auto",
    draws: int = DRAWS,
    points: int = POINTS,
) -> IndividualPosterior:
    """The posterior of one patient, on a mesh halved until it is certified."""
    for repeat in range(REPEATS + 1):
        weighed = weigh(patient, population, seed, draws, points)
        found = _posterior(patient, population, seed, method, weighed)
        certificate = found.patient.records.certificate(found.sites)
        if certificate is None or certificate.certified or repeat == REPEATS:
            break
        patient = patient.halved()
    return found._replace(sampling=replace(found.sampling, certificate=certificate))


def _posterior(
    patient: NewPatient,
    population: Sites,
    seed: int,
    method: Method,
    weighed: Weighed,
) -> IndividualPosterior:
    """By the method asked for; by weights or particles where that is left open."""
    why = "as asked for"
    if method == "auto":
        method = "importance" if weighed.reliable else "tempered"
        why = f"k-hat {weighed.k_hat:.2f}, ESS {weighed.ess:.0f} of the weights"
    said = _said(weighed, method, why)
    if method == "importance":
        kept, sampled = weighed.drawn(KEPT, seed), patient
    elif method == "tempered":
        found = temper_patient(patient, population, seed)
        kept, sampled = _in_a_row(found.sites), found.patient
        said = _of_particles(said, found)
    else:
        chains = nuts_patient(patient, population, seed)
        kept, sampled = _in_a_row(chains.sites), chains.patient
        said = _of_chains(said, chains)
    before = at_most(weighed.sites, KEPT)
    return IndividualPosterior(sampled, at_most(kept, KEPT), before, said)


def _said(weighed: Weighed, method: Found, why: str) -> Sampling:
    return Sampling(
        method=method,
        why=why,
        population_draws=weighed.draws,
        points=len(weighed.log_weight),
        k_hat=weighed.k_hat,
        ess=weighed.ess,
        population_ess=weighed.population_ess,
        solves=len(weighed.log_weight),
        failed_solves=weighed.failed,
    )


def _of_particles(said: Sampling, found: TemperedPatient) -> Sampling:
    return replace(
        said,
        solves=said.solves + found.tried,
        failed_solves=said.failed_solves + found.failed,
        rhat=worst_rhat(found.sites),
        acceptance=found.acceptance,
    )


def _of_chains(said: Sampling, found: NutsPatient) -> Sampling:
    return replace(
        said,
        solves=said.solves + found.leapfrogs,
        failed_solves=said.failed_solves + found.failed,
        rhat=worst_rhat(found.sites),
        divergences=found.divergences,
        normal=found.adequacy,
    )


def worst_rhat(sites: Sites) -> float:
    """The largest split R-hat of all numbers that vary, [chain, draw, ...]."""
    return max((_rhat(column) for column in _columns(sites)), default=1.0)


def _columns(sites: Sites) -> list[Float[np.ndarray, "chain draw"]]:
    """Every number of every site."""
    flat = [value.reshape(*value.shape[:2], -1) for value in sites.values()]
    every = [each[..., i] for each in flat for i in range(each.shape[-1])]
    return [column for column in every if np.ptp(column) > 0]


def _rhat(column: Float[np.ndarray, "chain draw"]) -> float:
    return float(array_stats.rhat(column, chain_axis=0, draw_axis=1))


def _in_a_row(sites: Sites) -> dict[str, np.ndarray]:
    return {n: value.reshape(-1, *value.shape[2:]) for n, value in sites.items()}
