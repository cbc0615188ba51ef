"""`result_tree`: all groups of a finished fit, from its draws."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float
from numpyro.handlers import seed, substitute, trace

from imak_pkpd.fit.certificate import Certificate
from imak_pkpd.fit.estimates import estimand_group
from imak_pkpd.fit.explain import subject_names
from imak_pkpd.fit.joint_store import of_facts
from imak_pkpd.fit.meshes import beside_mesh, event_mesh, with_method
from imak_pkpd.fit.meshing import Forms, Meshed
from imak_pkpd.fit.patient_groups import patient_groups, predictive_group, rows_of
from imak_pkpd.fit.posterior import population_model, sample_all, stored, unsolved
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.provenance import versions
from imak_pkpd.fit.sample import Draws
from imak_pkpd.fit.simulate import Simulator
from imak_pkpd.fit.sites import draws_of
from imak_pkpd.fit.target import Target, constrain_draws, target
from imak_pkpd.fit.tree import (
    Coordinates,
    Group,
    Variable,
    build_tree,
    posterior_group,
    public_sites,
    statistics_groups,
)
from imak_pkpd.fit.virtual import Virtual
from imak_pkpd.solve.together import map_together

PREDICTED = 100  # draws per chain that are simulated: percentiles need no more
PRIOR_DRAWS = 400  # draws of the prior; their 2.5 % points rest on ten draws
PRIOR_SIMULATED = 100  # of which so many are simulated, by the adaptive solver
PRIOR_TOLERANCE = 1e-6  # far below any residual error

DRAW = ("chain", "draw")


def result_tree(
    asked: Problem,
    meshed: Meshed,
    draws: Draws,
    certificate: Certificate | None,
) -> xr.DataTree:
    """The tree that `posterior.nc` holds; groups as in `tree.GROUPS`.

    `asked` is the problem as its fit file says it, before its mesh was chosen.
    """
    problem, forms = with_method(asked, meshed.method), meshed.forms
    meshes = meshed.meshes
    function = population_model(problem.spec, problem.model, forms)
    args, mesh = meshes.arguments(problem), meshes.patients
    made = target(function, args)
    values = constrain_draws(made, args, draws.positions, stored)
    every = max(draws.positions.shape[1] // PREDICTED, 1)
    kept = np.arange(0, draws.positions.shape[1], every)
    by_subject = values["log_likelihood"]
    values = {name: value for name, value in values.items() if unsolved(name)}
    prior, prior_replicates = _prior(problem, forms, meshes.cohorts)
    latent = Simulator(problem.spec, problem.model, forms).latent(problem.schedule)
    chains = draws.positions.shape[0]
    flat = {n: values[n][:, kept].reshape(-1, *values[n].shape[2:]) for n in latent}
    groups: dict[str, Group] = {
        "posterior": posterior_group(public_sites(values), problem.schedule.patients),
        **statistics_groups(draws),
        "log_likelihood": {"log_likelihood": Variable((*DRAW, "subject"), by_subject)},
        "log_prior": {"log_prior": Variable(DRAW, _log_prior(made, args, draws))},
        **patient_groups(problem),
        "posterior_predictive": predictive_group(problem, forms, mesh, flat, chains),
        "estimand": estimand_group(problem, forms, mesh, flat, chains),
        "prior": posterior_group(public_sites(prior), problem.schedule.patients),
        "prior_predictive": prior_replicates,
    }
    names = {"subject": subject_names(problem), "output": [*problem.spec.output]}
    attributes = _attributes(asked, certificate, draws)
    if meshes.cohorts:
        facts = of_facts(problem.spec, meshes.cohorts, values, prior)
        groups |= facts.groups
        groups["log_likelihood"] = {**groups["log_likelihood"], **facts.log_likelihood}
        names |= facts.names
        attributes |= facts.attributes
    groups = {name: group for name, group in groups.items() if group}
    coordinates: dict[str, Coordinates] = {group: names for group in groups}
    for group in ("posterior_predictive", "estimand"):
        coordinates[group] = {**names, "draw": kept}
    return build_tree(groups, coordinates, attributes)


def _log_prior(
    made: Target, args: tuple, draws: Draws
) -> Float[np.ndarray, "chain draw"]:
    """log p(parameters) on their own scale, without the likelihood."""

    def one(position: Float[Array, " d"]) -> Float[Array, ""]:
        values = made.constrain(position, args)
        sites = trace(substitute(seed(made.model, jax.random.key(0)), values))
        return sum(
            (
                jnp.sum(site["fn"].log_prob(site["value"]))
                for site in sites.get_trace(*args).values()
                if site["type"] == "sample" and not site["is_observed"]
            ),
            jnp.zeros(()),
        )

    chains, count, size = draws.positions.shape
    flat = jnp.asarray(draws.positions.reshape(-1, size))
    found = jax.jit(lambda xs: map_together(one, xs, 100))(flat)
    return np.asarray(found).reshape(chains, count)


def _prior(
    problem: Problem, forms: Forms, cohorts: Mapping[str, Virtual]
) -> tuple[dict[str, np.ndarray], Group]:
    """Draws of all sites from the prior, and replicates of the data at some of them.

    A mesh made for the posterior fails on prior draws: the adaptive solver is used.
    """
    spec, model, schedule = problem.spec, problem.model, problem.schedule
    stepper = beside_mesh(problem, PRIOR_TOLERANCE)
    simulator = Simulator(spec, model, forms, stepper)
    number = spec.estimation.seed + 2
    prior = partial(sample_all, spec, model, forms, schedule, cohorts)
    values = draws_of(prior, PRIOR_DRAWS, number)
    latent = {n: values[n][:PRIOR_SIMULATED] for n in simulator.latent(schedule)}
    key = jax.random.split(jax.random.key(number), PRIOR_DRAWS)[0]
    drawn = simulator(latent, schedule, event_mesh(problem), key)
    replicate = rows_of(problem, drawn["replicate_individual"])
    return (
        {name: value[None] for name, value in values.items()},
        {"replicate": Variable((*DRAW, "observation"), replicate[None])},
    )


def _definitions(problem: Problem) -> dict[str, str]:
    """What each estimand is, which travels with its numbers."""
    units = {**problem.model.outputs, "time": problem.model.time}
    return {
        name: block.definition(units) for name, block in problem.spec.estimand.items()
    }


def _attributes(
    problem: Problem, certificate: Certificate | None, draws: Draws
) -> dict[str, Any]:
    """Provenance and what the report needs to print without the fit file."""
    return {
        "problem": problem.spec.problem,
        "fit": str(problem.spec.path),
        "settings": str(problem.spec),
        "fit_sha256": problem.spec.sha256,
        "data_sha256": problem.dataset.sha256,
        "synthetic": problem.spec.data is not None and problem.spec.data.synthetic,
        "dose_names": problem.schedule.dose_names,
        "estimands": _definitions(problem),
        "versions": versions(),
        "certificate": None if certificate is None else certificate.to_dict(),
        "effort": {
            "cpu_s": draws.cpu_s,
            "leapfrogs": draws.leapfrogs,
            "draws_sha256": draws.sha256,
        },
    }
