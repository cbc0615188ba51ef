"""`population_model`: a fit file and a model as ONE NumPyro function.

The function takes (schedule, mesh, cohorts), all traced, so that other data of similar
size compile nothing; a user can drive it alone with any NumPyro sampler.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpyro
from numpyro.handlers import trace

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.fit.sites import sample_sites
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.target import require_float64
from imak_pkpd.fit.terms import joint_evidence
from imak_pkpd.fit.virtual import STEPPER, Arrays, Virtual, sample_amounts
from imak_pkpd.model import AbstractLinear, AbstractModel, AnyModel
from imak_pkpd.observe import Sigmas, families, log_likelihood_by_row
from imak_pkpd.population.form import resolve_forms
from imak_pkpd.population.individual import Individuals
from imak_pkpd.population.omega import Form
from imak_pkpd.solve.mesh import Mesh
from imak_pkpd.solve.method import default_stepper
from imak_pkpd.solve.rodas import Rodas
from imak_pkpd.solve.stepper import AbstractStepper, Adaptive
from imak_pkpd.solve.trajectory import predict

REFERENCE = 1e-8  # tolerance: 1e-6 of the certificate's own limit of 0.01
ROWS, WHEN = "row_log_likelihood", "solve_failed_at"
SOLVED = ("log_likelihood", ROWS, "solve_status", WHEN, "fact_log_likelihood")
"""The named values that need a solve."""


def stored(name: str) -> bool:
    """Whether a site is kept of all draws: not what explains one or certifies a few."""
    return name not in (ROWS, WHEN)


def unsolved(name: str) -> bool:
    """Whether a site needs no solve: to keep these alone solves nothing."""
    return name not in SOLVED


Cohorts = Mapping[str, Arrays]
"""Patients, schedule and mesh of every virtual cohort, by its name."""

PopulationModel = Callable[..., None]
"""Of (schedule, mesh), and of (schedule, mesh, cohorts) where there is evidence."""


def population_model(
    spec: FitSpec,
    model: type[AnyModel],
    forms: Mapping[str, Form],
    stepper: AbstractStepper | None = None,
) -> PopulationModel:
    """The NumPyro function of (schedule, mesh, cohorts).

    `forms` says how each random effect is sampled (see `effect_forms`); `stepper`
    replaces the one that the fit file asks for, and that of the cohorts. Sites: those
    of `population.individual`, the residual SDs `output_key`, and `log_likelihood` by
    subject, `row_log_likelihood` by record, -inf in all where one cannot be solved;
    `solve_status` and `solve_failed_at` (a TIME) by subject.
    With [evidence] also the amounts `cohort_dose_amount`, and `fact_log_likelihood` of
    all facts together: patients and virtual patients have the same theta and omega.
    """
    require_float64()
    of_patients = stepper or stepper_of(spec, model)

    def function(
        schedule: Schedule, mesh: Mesh | None, cohorts: Cohorts | None = None
    ) -> None:
        virtual = _virtual(spec, model, cohorts, stepper or STEPPER)
        with trace() as sites:
            values, sigmas = sample_all(spec, model, forms, schedule, virtual)
        if spec.evidence:
            _add_evidence(spec, virtual, sites)
        individuals = model(**values)
        prediction = predict(individuals, schedule, mesh, of_patients, spec.hazards)
        outputs, areas = prediction.outputs, prediction.areas
        found = families(spec.output, schedule, outputs, sigmas, areas)
        rows = log_likelihood_by_row(found, schedule)
        failed = jnp.any(prediction.status != 0)
        by_subject = jnp.where(failed, -jnp.inf, rows.sum(-1))
        numpyro.deterministic("log_likelihood", by_subject)
        numpyro.deterministic(ROWS, jnp.where(failed, -jnp.inf, rows))
        numpyro.deterministic("solve_status", prediction.status)
        numpyro.deterministic(WHEN, prediction.when)
        numpyro.factor("likelihood", jnp.sum(by_subject))

    return function


def sample_all(
    spec: FitSpec,
    model: type[AnyModel],
    forms: Mapping[str, Form],
    schedule: Schedule,
    cohorts: Mapping[str, Virtual],
) -> tuple[Individuals, Sigmas]:
    """Every NumPyro site of a fit: those of the patients, and amounts of cohorts."""
    for cohort in cohorts.values():
        sample_amounts(cohort)
    return sample_sites(spec, model, forms, schedule)


def _add_evidence(
    spec: FitSpec, cohorts: Mapping[str, Virtual], sites: Mapping[str, Any]
) -> None:
    """The factor of the facts, from the sites that patients share."""
    values = {n: site["value"] for n, site in sites.items() if site["type"] != "plate"}
    total = joint_evidence(spec, cohorts, values)
    numpyro.deterministic("fact_log_likelihood", total)
    numpyro.factor("facts", total)


def _virtual(
    spec: FitSpec,
    model: type[AnyModel],
    cohorts: Cohorts | None,
    stepper: AbstractStepper,
) -> dict[str, Virtual]:
    """The virtual cohorts of a fit with facts, from their arrays."""
    if not spec.evidence:
        return {}
    assert issubclass(model, AbstractModel)  # a cohort is solved in time: `check_fit`
    if cohorts is None:
        raise ValueError(
            f"{spec.path.name} has [evidence], so its model is a function of (schedule,"
            " mesh, cohorts): pass the `arrays` of each virtual cohort by its name"
        )
    return {n: Virtual(spec, model, n, *a, stepper) for n, a in cohorts.items()}


def method_of(spec: FitSpec, model: type[AnyModel]) -> str:
    """closed, mesh, rosenbrock or adaptive: "auto" is closed where the model is linear,
    and mesh until it is settled (`settled`).

    A hazard is integrated on the steps of a mesh, whose certificate then holds for it.
    """
    linear = issubclass(model, AbstractLinear)
    if spec.solver.method == "closed" and not linear:
        raise ValueError(
            f"{spec.path.name}: solver.method is 'closed' but {model.__name__} is not "
            "an AbstractLinear: write 'mesh'"
        )
    if spec.solver.method == "auto":
        return "closed" if linear and not spec.hazards else "mesh"
    return spec.solver.method


def settled(spec: FitSpec, method: str) -> FitSpec:
    """The spec with "auto" replaced by what was chosen for its mesh.

    Explicit steps are what "auto" means before any choice: the spec is then the same.
    """
    if spec.solver.method != "auto" or method not in ("split", "rosenbrock"):
        return spec
    solver = spec.solver.model_copy(update={"method": method})
    return spec.model_copy(update={"solver": solver})


def reference_of(
    spec: FitSpec, model: type[AnyModel], tolerance: float = REFERENCE
) -> Adaptive:
    """The adaptive solver beside the mesh: one for stiff models where the mesh is."""
    if method_of(spec, model) == "rosenbrock":
        return Adaptive(tolerance, tolerance, solver=Rodas())
    return Adaptive(tolerance, tolerance)


def stepper_of(spec: FitSpec, model: type[AnyModel]) -> AbstractStepper:
    """The stepper of the [solver] block."""
    return default_stepper(method_of(spec, model))


def effect_forms(spec: FitSpec, schedule: Schedule) -> dict[str, Form]:
    """How each random effect is sampled for these data, "auto" resolved."""
    return resolve_forms(spec.omega, schedule.observations.mask.sum(1))
