"""The mesh of a fit: calibrated, certified on draws near the mode, halved until it is.

First at the prior medians, to climb to the mode; then at draws of the Laplace
approximation there. What was made is kept in the checkpoint and obeyed on resume.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpyro.handlers import seed, substitute
from numpyro.infer import init_to_median

from imak_pkpd.fit.certificate import (
    DRAWS,
    Certificate,
    Likelihood,
    certify,
    likelihood_by_term,
)
from imak_pkpd.fit.meshes import (
    Meshes,
    event_mesh,
    fit_cohorts,
    needs_mesh,
    placed_mesh,
    reference_mesh,
)
from imak_pkpd.fit.mode import Explain
from imak_pkpd.fit.posterior import SOLVED, population_model
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.sites import sample_sites
from imak_pkpd.fit.start import Start, make_start
from imak_pkpd.fit.target import constrain_draws, target
from imak_pkpd.model import AbstractModel
from imak_pkpd.population.omega import Form
from imak_pkpd.solve.mesh import Mesh
from imak_pkpd.solve.stepper import Adaptive

HALVINGS = 4  # a mesh 16 times finer than calibrated is the wrong tool
PILOTS = 8  # Laplace draws that place the sub-steps
REFERENCE = Adaptive(1e-8, 1e-8)  # 1e-6 of the certificate's own limit of 0.01

Forms = Mapping[str, Form]


class Meshed(NamedTuple):
    """The meshes, the chains' start, and the meshes' certificate near the mode.

    `certificate` is None without a mesh of ours: closed form, adaptive, static.
    """

    meshes: Meshes
    start: Start
    certificate: Certificate | None


def needs_certificate(problem: Problem) -> bool:
    """Whether a mesh of our making is trusted: the patients', or one of a cohort."""
    return needs_mesh(problem) or bool(problem.spec.evidence)


def make_meshes(problem: Problem, forms: Forms, explain: Explain) -> Meshed:
    """The meshes that a fit begins with, and the start of its chains."""
    spec = problem.spec
    first = Meshes(_first_mesh(problem, forms), fit_cohorts(problem))
    args = first.arguments(problem)
    made = target(population_model(spec, problem.model, forms), args)
    key = jax.random.key(spec.estimation.seed)
    start = make_start(made, args, spec.estimation, key, explain=explain)
    if not needs_certificate(problem):
        return Meshed(first, start, None)
    draws = laplace_draws(start, DRAWS, spec.estimation.seed)
    if needs_mesh(problem):
        values = constrain_draws(made, args, draws[None, :PILOTS], _before_solving)
        sites = {name: value[0] for name, value in values.items()}
        first = first._replace(patients=_placed(problem, forms, sites))
    return certified(problem, forms, Meshed(first, start, None), draws)


def _first_mesh(problem: Problem, forms: Forms) -> Mesh | None:
    """Good at the prior medians: enough to climb to the mode."""
    if not needs_mesh(problem):
        return event_mesh(problem)
    return placed_mesh(problem, [prior_pilot(problem, forms)])


def _placed(
    problem: Problem, forms: Forms, sites: Mapping[str, np.ndarray]
) -> Mesh | None:
    """The mesh of the patients for the first draws of `sites`."""
    return placed_mesh(problem, individual_models(problem, forms, sites, range(PILOTS)))


def _before_solving(name: str) -> bool:
    """The sites that need no solve: the others are not computed."""
    return name not in SOLVED


def certified(
    problem: Problem,
    forms: Forms,
    meshed: Meshed,
    draws: Float[np.ndarray, "draw d"],
) -> Meshed:
    """The mesh halved until the certificate passes on `draws`, at most four times."""
    reference = reference_likelihood(problem, forms, meshed.meshes)
    meshes, subjects = meshed.meshes, problem.schedule.subjects
    for halving in range(HALVINGS + 1):
        ours = mesh_likelihood(problem, forms, meshes)
        if problem.spec.hazards and halving:  # it must stay finer than ours
            reference = reference_likelihood(problem, forms, meshes)
        result = certify(ours, reference, draws, draws[:0], subjects)
        if result.certified or halving == HALVINGS:
            break
        meshes = meshes.halved(problem)
    return Meshed(meshes, meshed.start, result)


def mesh_likelihood(problem: Problem, forms: Forms, meshes: Meshes) -> Likelihood:
    """Log-likelihood by subject, and of the facts, on the meshes of a fit."""
    function = population_model(problem.spec, problem.model, forms)
    args = meshes.arguments(problem)
    return likelihood_by_term(target(function, args), args)


def reference_likelihood(problem: Problem, forms: Forms, meshes: Meshes) -> Likelihood:
    """The same by the adaptive reference: patients on their `reference_mesh`, cohorts
    from node to node, where their estimands are read."""
    function = population_model(problem.spec, problem.model, forms, REFERENCE)
    patients = reference_mesh(problem, meshes.patients)
    args = meshes._replace(patients=patients).arguments(problem)
    return likelihood_by_term(target(function, args), args)


def laplace_draws(
    start: Start, count: int, seed_number: int
) -> Float[np.ndarray, "draw d"]:
    """Draws of the normal approximation around the chains' starts."""
    rng = np.random.default_rng(seed_number)
    centre = start.positions.mean(0)
    noise = rng.standard_normal((count, len(centre)))
    moved = noise @ start.scale.T if start.scale.ndim == 2 else noise * start.scale
    return centre + moved


def prior_pilot(problem: Problem, forms: Forms) -> AbstractModel:
    """The models of all subjects at the prior medians."""
    strategy = init_to_median(num_samples=1001)  # 4 % of a prior sd
    sites = substitute(seed(sample_sites, jax.random.key(0)), substitute_fn=strategy)
    values, _ = sites(problem.spec, problem.model, forms, problem.schedule)
    made: Any = problem.model(**values)
    return made


def individual_model(
    problem: Problem, forms: Forms, values: Mapping[str, jax.Array]
) -> AbstractModel:
    """The models of all subjects at one draw of the sites."""
    sites = seed(substitute(sample_sites, dict(values)), jax.random.key(0))
    individuals, _ = sites(problem.spec, problem.model, forms, problem.schedule)
    made: Any = problem.model(**individuals)
    return made


def individual_models(
    problem: Problem,
    forms: Forms,
    sites: Mapping[str, np.ndarray],
    places: Iterable[int],
) -> list[AbstractModel]:
    """The same at some of the draws [draw, ...]."""
    at = [{name: jnp.asarray(v[i]) for name, v in sites.items()} for i in places]
    return [individual_model(problem, forms, each) for each in at]
