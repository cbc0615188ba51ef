"""From theta, omega and covariates to the parameters of every subject.

On its scale, a parameter of one subject is theta + covariate effects + eta; natural
factors of covariates multiply. `sample_individuals` holds the NumPyro sites;
`individual_values` is the same arithmetic for given numbers, with no site.
"""

from collections.abc import Mapping

import jax.numpy as jnp
import numpyro
from jaxtyping import Array, Float, Int

from imak_pkpd.population.deviation import Patients, sample_etas
from imak_pkpd.population.mean import (
    Columns,
    Covariates,
    Numbers,
    Population,
    given,
    mean,
)
from imak_pkpd.population.prior import sample_number
from imak_pkpd.population.spread import Spread, sample_omega

Individuals = dict[str, Float[Array, "subject"] | Float[Array, "subject interval"]]
"""Natural values by parameter; an interval axis where a covariate changes."""


def sample_individuals(
    population: Population,
    covariates: Covariates,
    patients: int,
    patient_index: Int[Array, "subject"],
) -> Individuals:
    """Natural parameter values of every subject, under a NumPyro model.

    Sites: theta_p, beta_p_column, omega_p, cholesky_block, and for eta z_p, eta_p or
    phi_p by its form. Named beside them: p_pop, eta_p, corr_p_q, and p itself where
    it differs between subjects and not inside them.
    """
    who = Patients(patients, patient_index)
    columns = population.narrowed(covariates)
    numbers, spread = sample_shared(population, columns, who)
    means = {
        name: mean(population, name, numbers, columns).location[:, 0]
        for name, form in population.forms.items()
        if form == "centred"
    }
    etas = sample_etas(population.omega, population.forms, spread, means, who)
    values = individual_values(population, numbers, etas, covariates, patient_index)
    _name_individuals(population, values)
    return values


def sample_shared(
    population: Population, columns: Columns, who: Patients
) -> tuple[dict[str, Float[Array, "..."]], Spread]:
    """theta_p and beta_p_column by site name, and [omega]: what patients share."""
    numbers = _sample_theta(population) | _sample_coefficients(population)
    read = {
        line.column: who.gather(columns[line.column][:, 0])
        for line in population.omega.deviations.values()
        if line.column is not None
    }
    return numbers, sample_omega(population.omega, read)


def individual_values(
    population: Population,
    numbers: Numbers,
    etas: Mapping[str, Float[Array, "patient"]],
    covariates: Covariates,
    patient_index: Int[Array, "subject"],
) -> Individuals:
    """Natural parameter values for given theta_p, beta_p_column (`numbers`) and etas.

    An eta that is absent is zero: no etas at all give the population prediction.
    """
    columns = population.narrowed(covariates)
    by_subject = {name: eta[patient_index][:, None] for name, eta in etas.items()}
    values = {
        name: _value(population, name, numbers, by_subject, columns)
        for name in population.scales
    }
    return {
        name: _shaped(value, patient_index.shape[0], population.varies(name))
        for name, value in values.items()
    }


def _value(
    population: Population,
    name: str,
    numbers: Numbers,
    etas: Mapping[str, Float[Array, "subject 1"]],
    columns: Columns,
) -> Float[Array, "#subject #interval"]:
    if population.alone(name):
        return jnp.atleast_2d(given(population.theta[name], columns))
    before = mean(population, name, numbers, columns)
    on_scale = before.location + etas.get(name, jnp.zeros(()))
    return population.from_scale(on_scale, population.scales[name]) * before.factor


def _shaped(
    value: Float[Array, "#subject #interval"], subjects: int, varies: bool
) -> Float[Array, "subject"] | Float[Array, "subject interval"]:
    full = jnp.broadcast_to(value, (subjects, value.shape[1]))
    return full if varies else full[:, 0]


def _sample_theta(population: Population) -> dict[str, Float[Array, ""]]:
    drawn = {}
    for name, scale in population.scales.items():
        block = population.theta[name]
        if block.sampled:
            prior = block.distribution(scale, population.to_scale)
            theta = numpyro.sample(f"theta_{name}", prior)
            numpyro.deterministic(f"{name}_pop", population.from_scale(theta, scale))
            drawn[f"theta_{name}"] = theta
    return drawn


def _sample_coefficients(population: Population) -> dict[str, Float[Array, ""]]:
    return {
        site: sample_number(site, prior, {})
        for site, prior in population.coefficients().items()
        if prior.sampled
    }


def _name_individuals(population: Population, values: Individuals) -> None:
    for name, value in values.items():
        differs = name in population.omega.random or population.columns(name)
        if differs and not population.alone(name) and not population.varies(name):
            numpyro.deterministic(name, value)
