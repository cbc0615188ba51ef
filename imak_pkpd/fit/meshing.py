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
    likelihood_by_record,
)
from imak_pkpd.fit.meshes import (
    Meshes,
    Placed,
    fit_cohorts,
    needs_mesh,
    placed_mesh,
    reference_mesh,
    unplaced,
    with_method,
)
from imak_pkpd.fit.mode import Explain
from imak_pkpd.fit.pilot_forms import pilot_choices, restated
from imak_pkpd.fit.posterior import population_model, reference_of, unsolved
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.sites import sample_sites
from imak_pkpd.fit.start import (
    Start,
    make_start,
    start_at,
    start_keys,
    typical_draws,
)
from imak_pkpd.fit.target import Target, constrain_flat, target
from imak_pkpd.model import AbstractModel
from imak_pkpd.population.omega import Form

HALVINGS = 4  # a mesh 16 times finer than calibrated is the wrong tool
PILOTS = 8  # Laplace draws that place the sub-steps

Forms = Mapping[str, Form]


class Meshed(NamedTuple):
    """The meshes, the forms of the effects, the chains' start, the certificate of the
    meshes near the mode, and how the patients' mesh is crossed and why.

    `certificate` is None without a mesh of ours: closed form, adaptive, static.
    """

    meshes: Meshes
    forms: Forms
    start: Start
    certificate: Certificate | None
    method: str
    why: str


def needs_certificate(problem: Problem) -> bool:
    """Whether a mesh of our making is trusted: the patients', or one of a cohort."""
    return needs_mesh(problem) or bool(problem.spec.evidence)


def make_meshes(problem: Problem, forms: Forms, explain: Explain) -> Meshed:
    """The meshes that a fit begins with, and the start of its chains."""
    found = _first_mesh(problem, forms)
    first = Meshes(found.mesh, fit_cohorts(problem))
    args, settled = first.arguments(problem), with_method(problem, found.method)
    spec = settled.spec
    made = target(population_model(spec, problem.model, forms), args)
    key = jax.random.key(spec.estimation.seed)
    start = make_start(made, args, spec.estimation, key, explain=explain)
    forms, start = _informed(settled, forms, first, start)
    meshed = Meshed(first, forms, start, None, found.method, found.why)
    if not needs_certificate(problem):
        return meshed
    own = target(population_model(spec, problem.model, forms), args)
    draws = laplace_draws(own, args, start, DRAWS, spec.estimation.seed)
    if needs_mesh(problem):
        sites = constrain_flat(own, args, draws[:PILOTS], unsolved)
        # Chosen anew: what is stiff at the prior medians need not be near the mode.
        found = _placed(problem, forms, sites)
        placed = first._replace(patients=found.mesh)
        meshed = Meshed(placed, forms, start, None, found.method, found.why)
    return certified(with_method(problem, meshed.method), meshed, draws)


def _informed(
    problem: Problem, forms: Forms, meshes: Meshes, start: Start
) -> tuple[Forms, Start]:
    """The forms that suit what the data say at the mode, and the start in them; where
    none is another, the start stays.

    From the prior nothing is known: the forms stay.
    """
    if start.mode is None:
        return forms, start
    spec, args = problem.spec, meshes.arguments(problem)
    before = target(population_model(spec, problem.model, forms), args)
    found = pilot_choices(spec.omega, forms, before, args, start.mode)
    better = {**forms, **{name: choice.form for name, choice in found.items()}}
    if better == forms:
        return forms, start
    onto = target(population_model(spec, problem.model, better), args)
    mode = restated(before, onto, args, start.mode, found)
    _, key = start_keys(jax.random.key(spec.estimation.seed))
    return better, start_at(onto, args, mode, spec.estimation, key)


def _first_mesh(problem: Problem, forms: Forms) -> Placed:
    """Good at the prior medians: enough to climb to the mode."""
    if not needs_mesh(problem):
        return unplaced(problem)
    return placed_mesh(problem, [prior_pilot(problem, forms)])


def _placed(problem: Problem, forms: Forms, sites: Mapping[str, np.ndarray]) -> Placed:
    """The mesh of the patients for the first draws of `sites`."""
    return placed_mesh(problem, individual_models(problem, forms, sites, range(PILOTS)))


def certified(
    problem: Problem, meshed: Meshed, draws: Float[np.ndarray, "draw d"]
) -> Meshed:
    """The mesh halved until the certificate passes on `draws`, at most four times."""
    meshes, forms = meshed.meshes, meshed.forms
    reference = reference_likelihood(problem, forms, meshes)
    subjects = problem.schedule.subjects
    for halving in range(HALVINGS + 1):
        ours = mesh_likelihood(problem, forms, meshes)
        if problem.spec.hazards and halving:  # it must stay finer than ours
            reference = reference_likelihood(problem, forms, meshes)
        result = certify(ours, reference, draws, draws[:0], subjects)
        if result.certified or halving == HALVINGS:
            break
        meshes = meshes.halved(problem)
    return meshed._replace(meshes=meshes, certificate=result)


def mesh_likelihood(problem: Problem, forms: Forms, meshes: Meshes) -> Likelihood:
    """Log-likelihood by record, and of the facts, on the meshes of a fit."""
    function = population_model(problem.spec, problem.model, forms)
    args = meshes.arguments(problem)
    return likelihood_by_record(target(function, args), args)


def reference_likelihood(problem: Problem, forms: Forms, meshes: Meshes) -> Likelihood:
    """The same by the adaptive reference: patients on their `reference_mesh`, cohorts
    from node to node, where their estimands are read."""
    stepper = reference_of(problem.spec, problem.model)
    function = population_model(problem.spec, problem.model, forms, stepper)
    patients = reference_mesh(problem, meshes.patients)
    args = meshes._replace(patients=patients).arguments(problem)
    return likelihood_by_record(target(function, args), args)


def laplace_draws(
    target: Target, args: tuple, start: Start, count: int, seed_number: int
) -> Float[np.ndarray, "draw d"]:
    """Draws around the mode; from the prior around where the chains start."""
    rng = np.random.default_rng(seed_number)
    centre = start.positions.mean(0) if start.mode is None else start.mode.position
    return typical_draws(target, args, centre, start.scale, count, rng)


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
