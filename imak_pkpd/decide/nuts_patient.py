"""`nuts_patient`: a new patient's posterior by NUTS.

What patients share is there a normal on the unconstrained scale, with the mean and the
covariance of the population's draws: `adequacy` says how well that stands for them.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dists
from jaxtyping import Array, Float
from numpyro.handlers import block, substitute

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.decide.effects import informed_forms
from imak_pkpd.decide.finished_run import Sites
from imak_pkpd.decide.new_patients import NewPatient
from imak_pkpd.decide.unconstrained import (
    Adequacy,
    adequacy,
    constrained,
    normal_of,
    priors_of,
    unconstrained_population,
)
from imak_pkpd.fit.estimation import EstimationBlock
from imak_pkpd.fit.posterior import population_model
from imak_pkpd.fit.sample import sample
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.target import constrain_draws, target
from imak_pkpd.model import AnyModel
from imak_pkpd.population.omega import Form
from imak_pkpd.solve.mesh import Mesh

SHARED = "population"  # the site of all that patients share, whitened
SETTINGS = EstimationBlock(chains=4, warmup=300, draws=250, target_accept=0.9)


class NutsPatient(NamedTuple):
    """Draws [chain, draw, ...] of the latent sites; effects as in `patient`."""

    patient: NewPatient
    sites: Sites
    adequacy: Adequacy
    divergences: int
    failed: int
    leapfrogs: int


def nuts_patient(
    patient: NewPatient,
    population: Sites,
    seed: int,
    settings: EstimationBlock = SETTINGS,
) -> NutsPatient:
    """Chains of one patient; `failed` are trajectories that met a failed solve."""
    made = patient.records.problem
    informed = patient.sampled_as(informed_forms(made.spec.omega))
    vectors = unconstrained_population(made, population)
    forms = tuple(informed.records.forms.items())
    function = individual_model(made.spec, made.model, forms, tuple(sorted(population)))
    known = (made.schedule, informed.records.mesh, *normal_of(vectors))
    args = jax.tree.map(jnp.asarray, known)
    posterior = target(function, args)
    asked = settings.model_copy(update={"seed": seed})
    with TemporaryDirectory() as folder:
        draws = sample(
            posterior, args, asked, Path(folder) / "chains", {"patient": patient.name}
        )
    own = [name for name, _ in posterior.shapes]
    values = constrain_draws(posterior, args, draws.positions, own.__contains__)
    return NutsPatient(
        informed,
        {**_shared(patient, population, values.pop(SHARED), args[2:]), **values},
        adequacy(made, population, vectors),
        int(draws.statistics["diverging"].sum()),
        int(draws.statistics["failed_solves"].sum()),
        sum(draws.leapfrogs.values()),
    )


@lru_cache(maxsize=4)
def individual_model(
    spec: FitSpec,
    model: type[AnyModel],
    forms: tuple[tuple[str, Form], ...],
    names: tuple[str, ...],
) -> Callable[..., None]:
    """The NumPyro function of (schedule, mesh, centre, factor) of one patient.

    It is that of the fit, but for the sites `names`, which are a normal vector.
    """
    fitted = population_model(spec, model, dict(forms))

    def function(
        schedule: Schedule,
        mesh: Mesh | None,
        centre: Float[Array, " d"],
        factor: Float[Array, "d d"],
    ) -> None:
        unit = dists.Normal(jnp.zeros_like(centre), 1.0).to_event(1)
        white = numpyro.sample(SHARED, unit)
        priors = priors_of(spec, model, schedule, names)
        shared = constrained(priors, centre + factor @ white)
        block(substitute(fitted, shared), hide=[*names])(schedule, mesh)

    return function


def _shared(
    patient: NewPatient,
    population: Sites,
    white: Float[np.ndarray, "chain draw d"],
    normal: tuple[Array, Array],
) -> dict[str, np.ndarray]:
    """What patients share, at every draw."""
    made, (centre, factor) = patient.records.problem, normal
    names = tuple(sorted(population))
    priors = priors_of(made.spec, made.model, made.schedule, names)
    each = jax.vmap(jax.vmap(lambda w: constrained(priors, centre + factor @ w)))
    return {name: np.asarray(v) for name, v in each(jnp.asarray(white)).items()}
