"""The mesh of a fit: calibrated, certified on draws near the mode, halved until it is.

First at the prior medians, to climb to the mode; then at draws of the Laplace
approximation there. What was made is kept in the checkpoint and obeyed on resume.
"""

from collections.abc import Mapping
from dataclasses import fields
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
    likelihood_by_subject,
)
from imak_pkpd.fit.mode import Explain
from imak_pkpd.fit.posterior import method_of, population_model, sample_sites
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.start import Start, make_start
from imak_pkpd.fit.target import Target, constrain_draws, target
from imak_pkpd.model import AbstractModel, AbstractStatic
from imak_pkpd.population.omega import Form
from imak_pkpd.solve.calibrate import calibrate, refined
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing
from imak_pkpd.solve.stepper import Adaptive

HALVINGS = 4  # a mesh 16 times finer than calibrated is the wrong tool
PILOTS = 8  # Laplace draws that place the sub-steps
REFERENCE = Adaptive(1e-8, 1e-8)  # 1e-6 of the certificate's own limit of 0.01

Forms = Mapping[str, Form]


class Meshed(NamedTuple):
    """A mesh (None: no ODE), the chains' start, and its certificate near the mode.

    `certificate` is None without a mesh of ours: closed form, adaptive, static.
    """

    mesh: Mesh | None
    start: Start
    certificate: Certificate | None


def event_mesh(problem: Problem) -> Mesh | None:
    """The mesh without sub-steps; None for a model without states."""
    if issubclass(problem.model, AbstractStatic):
        return None
    return build_mesh(problem.schedule, declared_dosing(problem.model))


def needs_certificate(problem: Problem) -> bool:
    """Whether a mesh of our making is trusted: not closed form, adaptive or static."""
    static = issubclass(problem.model, AbstractStatic)
    return not static and method_of(problem.spec, problem.model) == "mesh"


def make_mesh(problem: Problem, forms: Forms, explain: Explain) -> Meshed:
    """The mesh that a fit begins with, and the start of its chains."""
    spec, model, schedule = problem.spec, problem.model, problem.schedule
    key = jax.random.key(spec.estimation.seed)
    function = population_model(spec, model, forms)

    def start_on(mesh: Mesh | None) -> tuple[Target, Start]:
        args = jax.tree.map(jnp.asarray, (schedule, mesh))
        made = target(function, args)
        return made, make_start(made, args, spec.estimation, key, explain=explain)

    if not needs_certificate(problem):
        mesh = event_mesh(problem)
        return Meshed(mesh, start_on(mesh)[1], None)
    dosing = declared_dosing(model)
    first = calibrate(
        [prior_pilot(problem, forms)], schedule, dosing, spec.solver.tolerance
    )
    made, start = start_on(first)
    draws = laplace_draws(start, DRAWS, spec.estimation.seed)
    args = jax.tree.map(jnp.asarray, (schedule, first))
    values = constrain_draws(made, args, draws[None, :PILOTS], _before_solving)
    pilots = [
        individual_model(problem, forms, {n: v[0, i] for n, v in values.items()})
        for i in range(PILOTS)
    ]
    mesh = calibrate(pilots, schedule, dosing, spec.solver.tolerance)
    return certified(problem, forms, Meshed(mesh, start, None), draws)


def _before_solving(name: str) -> bool:
    """The sites that need no solve: the others are not computed."""
    return name not in ("log_likelihood", "solve_status")


def finer(problem: Problem, mesh: Mesh | None) -> Mesh | None:
    """The mesh with every step halved; None stays None."""
    if mesh is None:
        return None
    return refined(mesh, problem.schedule, declared_dosing(problem.model))


def certified(
    problem: Problem,
    forms: Forms,
    meshed: Meshed,
    draws: Float[np.ndarray, "draw d"],
) -> Meshed:
    """The mesh halved until the certificate passes on `draws`, at most four times."""
    reference = reference_likelihood(problem, forms)
    mesh = meshed.mesh
    for halving in range(HALVINGS + 1):
        ours = mesh_likelihood(problem, forms, mesh)
        result = certify(ours, reference, draws, draws[:0])
        if result.certified or halving == HALVINGS:
            break
        mesh = finer(problem, mesh)
    return Meshed(mesh, meshed.start, result)


def mesh_likelihood(problem: Problem, forms: Forms, mesh: Mesh | None) -> Likelihood:
    """Log-likelihood by subject on a mesh."""
    function = population_model(problem.spec, problem.model, forms)
    args = jax.tree.map(jnp.asarray, (problem.schedule, mesh))
    return likelihood_by_subject(target(function, args), args)


def reference_likelihood(problem: Problem, forms: Forms) -> Likelihood:
    """Log-likelihood by subject by the adaptive reference."""
    function = population_model(problem.spec, problem.model, forms, REFERENCE)
    args = jax.tree.map(jnp.asarray, (problem.schedule, event_mesh(problem)))
    return likelihood_by_subject(target(function, args), args)


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


def mesh_arrays(mesh: Mesh | None) -> dict[str, np.ndarray]:
    """The fields of a mesh for a file; nothing for no mesh."""
    if mesh is None:
        return {}
    return {f.name: np.asarray(getattr(mesh, f.name)) for f in fields(mesh)}


def mesh_from_arrays(arrays: Mapping[str, np.ndarray]) -> Mesh:
    """The mesh of `mesh_arrays`."""
    stored: dict[str, Any] = dict(arrays)
    stored["moving"] = bool(arrays["moving"])
    stored["steady_steps"] = int(arrays["steady_steps"])
    return Mesh(**stored)
