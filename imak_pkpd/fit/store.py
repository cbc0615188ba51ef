"""`result_tree`: all groups of a finished fit, from its draws."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float
from numpyro.handlers import seed, substitute, trace

from imak_pkpd.fit.certificate import Certificate
from imak_pkpd.fit.curves import curve_group
from imak_pkpd.fit.estimates import estimand_group
from imak_pkpd.fit.explain import subject_names
from imak_pkpd.fit.meshing import Forms, event_mesh, needs_certificate
from imak_pkpd.fit.posterior import population_model, sample_sites
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.provenance import versions
from imak_pkpd.fit.sample import Draws
from imak_pkpd.fit.simulate import Simulator
from imak_pkpd.fit.target import Target, constrain_draws, target
from imak_pkpd.fit.tree import (
    Coordinates,
    Group,
    Variable,
    build_tree,
    posterior_group,
    statistics_groups,
)
from imak_pkpd.solve.mesh import Mesh
from imak_pkpd.solve.stepper import Adaptive

PREDICTED = 100  # draws per chain that are simulated: percentiles need no more
PRIOR_DRAWS = 400  # draws of the prior; their 2.5 % points rest on ten draws
PRIOR_SIMULATED = 100  # of which so many are simulated, by the adaptive solver
PRIOR_SOLVER = Adaptive(1e-6, 1e-6)  # far below any residual error

DRAW = ("chain", "draw")


def result_tree(
    problem: Problem,
    forms: Forms,
    mesh: Mesh | None,
    draws: Draws,
    certificate: Certificate | None,
) -> xr.DataTree:
    """The tree that `posterior.nc` holds; groups as in `tree.GROUPS`."""
    function = population_model(problem.spec, problem.model, forms)
    args = jax.tree.map(jnp.asarray, (problem.schedule, mesh))
    made = target(function, args)
    values = constrain_draws(made, args, draws.positions)
    every = max(draws.positions.shape[1] // PREDICTED, 1)
    kept = np.arange(0, draws.positions.shape[1], every)
    by_subject = values.pop("log_likelihood")
    values.pop("solve_status")
    prior, prior_replicates = _prior(problem, forms)
    latent = Simulator(problem.spec, problem.model, forms).latent(problem.schedule)
    chains = draws.positions.shape[0]
    flat = {n: values[n][:, kept].reshape(-1, *values[n].shape[2:]) for n in latent}
    groups: dict[str, Group] = {
        "posterior": posterior_group(public_sites(values), problem.schedule.patients),
        **statistics_groups(draws),
        "log_likelihood": {"log_likelihood": Variable((*DRAW, "subject"), by_subject)},
        "log_prior": {"log_prior": Variable(DRAW, _log_prior(made, args, draws))},
        "observed_data": _observed(problem),
        "constant_data": _constant(problem),
        "posterior_predictive": _predictive(problem, forms, mesh, flat, chains),
        "estimand": estimand_group(problem, forms, mesh, flat, chains),
        "prior": posterior_group(public_sites(prior), problem.schedule.patients),
        "prior_predictive": prior_replicates,
    }
    groups = {name: group for name, group in groups.items() if group}
    names = {"subject": subject_names(problem), "output": [*problem.spec.output]}
    coordinates: dict[str, Coordinates] = {group: names for group in groups}
    for group in ("posterior_predictive", "estimand"):
        coordinates[group] = {**names, "draw": kept}
    tree = build_tree(groups, coordinates, _attributes(problem, certificate, draws))
    return tree


_OWNED = ("theta_", "eta_")  # sites that are there for every parameter that varies


def public_sites(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Without the sites that only serve sampling: z_p, phi_p, factors of blocks.

    A parameter may be called z_q itself: it is known by its theta_z_q or eta_z_q.
    """
    inner = ("z_", "phi_", "cholesky_", "precision_")
    parameters = {name.partition("_")[2] for name in values if name.startswith(_OWNED)}
    return {
        name: value
        for name, value in values.items()
        if name.removesuffix("_pop") in parameters or not name.startswith(inner)
    }


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
    found = jax.jit(lambda xs: jax.lax.map(one, xs, batch_size=100))(flat)
    return np.asarray(found).reshape(chains, count)


def _predictive(
    problem: Problem,
    forms: Forms,
    mesh: Mesh | None,
    flat: Mapping[str, np.ndarray],
    chains: int,
) -> Group:
    simulator = Simulator(problem.spec, problem.model, forms)
    key = jax.random.key(problem.spec.estimation.seed + 1)
    drawn = simulator(flat, problem.schedule, mesh, key)
    rows = {
        name: Variable(
            (*DRAW, "observation"),
            _rows(problem, v).reshape(chains, len(v) // chains, -1),
        )
        for name, v in drawn.items()
    }
    return {**rows, **curve_group(problem, forms, mesh, flat)}


def _prior(problem: Problem, forms: Forms) -> tuple[dict[str, np.ndarray], Group]:
    """Draws of all sites from the prior, and replicates of the data at some of them.

    A mesh made for the posterior fails on prior draws: the adaptive solver is used.
    """
    spec, model, schedule = problem.spec, problem.model, problem.schedule
    stepper = PRIOR_SOLVER if needs_certificate(problem) else None
    simulator = Simulator(spec, model, forms, stepper)

    def one(key: Array) -> dict[str, Array]:
        sites = trace(seed(sample_sites, key)).get_trace(spec, model, forms, schedule)
        return {
            name: site["value"]
            for name, site in sites.items()
            if site["type"] in ("sample", "deterministic")
        }

    keys = jax.random.split(jax.random.key(spec.estimation.seed + 2), PRIOR_DRAWS)
    values = jax.tree.map(np.asarray, jax.jit(jax.vmap(one))(keys))
    latent = {n: values[n][:PRIOR_SIMULATED] for n in simulator.latent(schedule)}
    drawn = simulator(latent, schedule, event_mesh(problem), keys[0])
    replicate = _rows(problem, drawn["replicate_individual"])
    return (
        {name: value[None] for name, value in values.items()},
        {"replicate": Variable((*DRAW, "observation"), replicate[None])},
    )


def _rows(
    problem: Problem, values: Float[np.ndarray, "draw subject observation"]
) -> Float[np.ndarray, "draw row"]:
    """Real observations only, subject after subject."""
    return values[:, np.asarray(problem.schedule.observations.mask)]


def _observed(problem: Problem) -> Group:
    seen = problem.schedule.observations
    mask = np.asarray(seen.mask)
    subject = np.broadcast_to(np.arange(len(mask))[:, None], mask.shape)
    columns = {
        "dv": seen.value,
        "limit": seen.limit,
        "censor": seen.censor,
        "time": seen.time,
        "time_after_dose": _time_after_dose(problem),
        "subject_index": subject,
        "output_index": seen.output,
    }
    group = {
        name: Variable(("observation",), np.asarray(column)[mask])
        for name, column in columns.items()
    }
    blocks = problem.spec.output.values()
    return {
        **group,
        "unit": Variable(("output",), np.array([block.unit for block in blocks])),
        "discrete": Variable(("output",), np.array([int(b.discrete) for b in blocks])),
    }


def _time_after_dose(problem: Problem) -> Float[np.ndarray, "subject observation"]:
    """Time since the last dose record at or before a row; NaN before the first."""
    schedule = problem.schedule
    doses, seen = schedule.doses, schedule.observations
    given = np.asarray(doses.mask & (doses.past == 0))
    gap = np.asarray(seen.clock)[:, :, None] - np.asarray(doses.clock)[:, None, :]
    earlier = given[:, None, :] & (gap >= 0)
    since = np.where(earlier, gap, np.inf).min(-1, initial=np.inf)
    return np.where(np.isfinite(since), since, np.nan)


def _constant(problem: Problem) -> Group:
    """Doses, and covariates by subject."""
    schedule = problem.schedule
    doses = schedule.doses
    given = np.asarray(doses.mask & (doses.past == 0))
    subject = np.broadcast_to(np.arange(len(given))[:, None], given.shape)
    columns = {
        "dose_time": doses.clock,
        "dose_amount": doses.amount,
        "dose_rate": doses.rate,
        "dose_name_index": doses.name,
        "dose_subject_index": subject,
    }
    group = {
        name: Variable(("dose",), np.asarray(column)[given])
        for name, column in columns.items()
    }
    first = np.asarray(schedule.covariates.value)[
        np.arange(schedule.subjects), np.asarray(schedule.covariates.setting)[:, 0]
    ]
    for place, name in enumerate(schedule.columns):
        group[name] = Variable(("subject",), first[:, place])
    return group


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
