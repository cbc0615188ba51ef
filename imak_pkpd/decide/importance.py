"""`weigh`: a new patient's posterior by weights of points of the population posterior.

Pairs of a draw of the population and effects at quasi-random normals, each weighed by
the likelihood of the patient's samples. Exact as points grow, without any climb; where
samples say much of the patient few points have all the weight, which k-hat and ESS say.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from imak_pkpd.decide.draws import at_most
from imak_pkpd.decide.effects import effect_sites
from imak_pkpd.decide.finished_run import Sites
from imak_pkpd.decide.new_patients import NewPatient
from imak_pkpd.evidence import quasi_normals
from imak_pkpd.fit.certificate import K_HAT, tail_shape
from imak_pkpd.fit.weights import effective, evenly_drawn

DRAWS = 512  # of the population
POINTS = 64  # effects at each: a power of two in a row of Sobol points is itself even
ENOUGH = 100  # effective points: a share of 50 % is then known to 5 %

Column = Float[np.ndarray, " point"]


class Weighed(NamedTuple):
    """Points with their weights (they sum to 1), and what the weights are worth.

    `ess` counts points, `population_ess` draws of the population; `failed` points
    could not be solved and have no weight.
    """

    sites: Sites
    log_weight: Column
    draws: int
    k_hat: float
    ess: float
    population_ess: float
    failed: int

    @property
    def reliable(self) -> bool:
        """Whether the points are enough."""
        return self.k_hat <= K_HAT and self.ess >= ENOUGH

    def drawn(self, number: int, seed: int) -> dict[str, np.ndarray]:
        """`number` draws of equal weight, in random order."""
        rng = np.random.default_rng(seed)
        place = rng.permutation(evenly_drawn(self.log_weight, number, rng))
        return {name: value[place] for name, value in self.sites.items()}


def weigh(
    patient: NewPatient,
    population: Sites,
    seed: int,
    draws: int = DRAWS,
    points: int = POINTS,
) -> Weighed:
    """The weighed points of one patient.

    Raises a `ValueError` where no point gives the samples a likelihood.
    """
    if not patient.records.problem.spec.omega.random:
        points = 1  # patients are alike: more points would be the same one
    sites = spread_sites(patient, population, seed, draws, points)
    found = patient.records.terms(sites)
    failed = found["solve_status"].any(-1)
    log_likelihood = np.where(failed, -np.inf, found["log_likelihood"].sum(-1))
    if not np.isfinite(log_likelihood).any():
        raise ValueError(
            f"patient {patient.name}: the samples are impossible at every draw of the "
            f"population ({failed.sum()} of {len(failed)} cannot be solved): look at "
            "the units of DV and AMT"
        )
    log_weight = log_likelihood - logsumexp(log_likelihood)
    by_draw = logsumexp(log_weight.reshape(-1, points), axis=1)
    return Weighed(
        sites,
        log_weight,
        len(by_draw),
        _tail(log_weight),
        effective(log_weight),
        effective(by_draw),
        int(failed.sum()),
    )


def spread_sites(
    patient: NewPatient, population: Sites, seed: int, draws: int, points: int
) -> dict[str, np.ndarray]:
    """Draws spread evenly over those that there are, with `points` effects at each."""
    some = at_most(population, draws)
    omega = patient.records.problem.spec.omega
    kept = len(next(iter(some.values())))
    normals = quasi_normals(kept * points, len(omega.random), seed)
    shared = {n: np.repeat(v, points, axis=0) for n, v in some.items()}
    return {**shared, **effect_sites(omega, normals)}


def _tail(log_weight: Column) -> float:
    """k-hat; inf where one point has all the weight, so that there is no tail."""
    found = tail_shape(log_weight)
    return float("inf") if np.isnan(found) else found
