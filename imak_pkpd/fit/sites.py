"""The NumPyro sites of a fit: parameters of all subjects, numbers of the outputs."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpyro.handlers import seed, trace

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.model import AnyModel, from_scale, parameters, to_scale
from imak_pkpd.observe import Sigmas
from imak_pkpd.population.individual import Individuals, sample_individuals
from imak_pkpd.population.mean import Population
from imak_pkpd.population.omega import Form
from imak_pkpd.population.prior import sample_number


def sample_sites(
    spec: FitSpec,
    model: type[AnyModel],
    forms: Mapping[str, Form],
    schedule: Schedule,
) -> tuple[Individuals, Sigmas]:
    """Every NumPyro site of the model: parameters of all subjects, residual SDs."""
    population = population_of(spec, model, forms, schedule)
    values = sample_individuals(
        population, columns(schedule), schedule.patients, schedule.patient
    )
    return values, sample_sigmas(spec, schedule)


def sample_sigmas(spec: FitSpec, schedule: Schedule) -> Sigmas:
    """The NumPyro sites of the outputs: SDs and the other numbers of their blocks."""
    own = jnp.asarray(schedule.observations.covariate)
    rows = {name: own[..., i] for i, name in enumerate(schedule.columns)}
    return {
        name: {
            key: sample_number(f"{name}_{key}", prior, rows)
            for key, prior in block.numbers.items()
        }
        for name, block in spec.output.items()
    }


def population_of(
    spec: FitSpec,
    model: type[AnyModel],
    forms: Mapping[str, Form],
    schedule: Schedule,
) -> Population:
    """What model, fit file and data say of the parameters, fixed while tracing."""
    return Population(
        scales={name: info.scale for name, info in parameters(model).items()},
        theta=spec.theta,
        omega=spec.omega,
        covariate=spec.covariate,
        forms=forms,
        to_scale=to_scale,
        from_scale=from_scale,
        varying=schedule.varying,
        levels=dict(schedule.levels),
    )


def columns(schedule: Schedule) -> dict[str, Float[Array, "subject setting"]]:
    """Covariate values by column."""
    value = jnp.asarray(schedule.covariates.value)
    return {name: value[..., i] for i, name in enumerate(schedule.columns)}


def draws_of(
    prior: Callable[[], object], draws: int, number: int
) -> dict[str, np.ndarray]:
    """The sites of any NumPyro function, [draw, ...], from a seed."""

    def one(key: Array) -> dict[str, Array]:
        sites = trace(seed(prior, key)).get_trace()
        kinds = ("sample", "deterministic")
        return {n: s["value"] for n, s in sites.items() if s["type"] in kinds}

    keys = jax.random.split(jax.random.key(number), draws)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(one))(keys))
