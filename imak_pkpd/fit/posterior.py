"""`population_model`: a fit file and a model as ONE NumPyro function.

The function takes (schedule, mesh), both traced, so that other data of similar size
compile nothing; a user can drive it alone with any NumPyro sampler.
"""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
import numpyro
from jaxtyping import Array, Float

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.target import require_float64
from imak_pkpd.model import AbstractLinear, AnyModel, from_scale, parameters, to_scale
from imak_pkpd.observe import Sigmas, families, log_likelihood_by_row
from imak_pkpd.population.form import resolve_forms
from imak_pkpd.population.individual import Individuals, sample_individuals
from imak_pkpd.population.mean import Population
from imak_pkpd.population.omega import Form
from imak_pkpd.population.prior import sample_number
from imak_pkpd.solve.mesh import Mesh
from imak_pkpd.solve.stepper import AbstractStepper, default_stepper
from imak_pkpd.solve.trajectory import predict

PopulationModel = Callable[[Schedule, Mesh | None], None]


def population_model(
    spec: FitSpec,
    model: type[AnyModel],
    forms: Mapping[str, Form],
    stepper: AbstractStepper | None = None,
) -> PopulationModel:
    """The NumPyro function of (schedule, mesh).

    `forms` says how each random effect is sampled (see `effect_forms`); `stepper`
    replaces the one that the fit file asks for. Sites: those of
    `population.individual`, the residual SDs `output_key`, and `log_likelihood` by
    subject, -inf in all where a subject cannot be solved.
    """
    require_float64()
    stepper = stepper or stepper_of(spec, model)

    def function(schedule: Schedule, mesh: Mesh | None) -> None:
        values, sigmas = sample_sites(spec, model, forms, schedule)
        prediction = predict(model(**values), schedule, mesh, stepper)
        found = families(spec.output, schedule, prediction.outputs, sigmas)
        rows = log_likelihood_by_row(found, schedule)
        failed = jnp.any(prediction.status != 0)
        by_subject = jnp.where(failed, -jnp.inf, rows.sum(-1))
        numpyro.deterministic("log_likelihood", by_subject)
        numpyro.deterministic("solve_status", prediction.status)
        numpyro.factor("likelihood", jnp.sum(by_subject))

    return function


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


def method_of(spec: FitSpec, model: type[AnyModel]) -> str:
    """closed, mesh or adaptive: "auto" is closed where the model is linear."""
    linear = issubclass(model, AbstractLinear)
    if spec.solver.method == "closed" and not linear:
        raise ValueError(
            f"{spec.path.name}: solver.method is 'closed' but {model.__name__} is not "
            "an AbstractLinear: write 'mesh'"
        )
    if spec.solver.method == "auto":
        return "closed" if linear else "mesh"
    return spec.solver.method


def stepper_of(spec: FitSpec, model: type[AnyModel]) -> AbstractStepper:
    """The stepper of the [solver] block."""
    return default_stepper(method_of(spec, model))


def effect_forms(spec: FitSpec, schedule: Schedule) -> dict[str, Form]:
    """How each random effect is sampled for these data, "auto" resolved."""
    return resolve_forms(spec.omega, schedule.observations.mask.sum(1))


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
