"""Records of a few patients, for the sampler that needs no gradient.

Their random effects are standard normals among the sites of its prior; their
log-likelihood joins that of the facts.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpyro.handlers import seed, substitute, trace

from imak_pkpd.fit.certificate import DRAWS, Certificate, certify
from imak_pkpd.fit.meshes import (
    event_mesh,
    needs_mesh,
    placed_mesh,
    reference_mesh,
    with_method,
)
from imak_pkpd.fit.meshing import Forms, individual_models
from imak_pkpd.fit.over_draws import LANES, over_draws
from imak_pkpd.fit.posterior import population_model, reference_of, sample_all
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.sites import draws_of, sample_sites
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.terms import Column, Sites
from imak_pkpd.fit.virtual import PILOTS, SHARE, Virtual
from imak_pkpd.model import AnyModel
from imak_pkpd.population.omega import Form
from imak_pkpd.solve.mesh import Mesh
from imak_pkpd.solve.stepper import AbstractStepper
from imak_pkpd.solve.together import map_together


class Records(NamedTuple):
    """Patients on a mesh made for the prior (None: no ODE); `why` it is crossed as the
    problem's [solver] says."""

    problem: Problem
    forms: Forms
    mesh: Mesh | None
    why: str = ""

    def sample_prior(self, cohorts: Mapping[str, Virtual]) -> None:
        """The NumPyro sites of patients and cohorts."""
        made = self.problem
        sample_all(made.spec, made.model, self.forms, made.schedule, cohorts)

    def log_likelihood(self, sites: Sites) -> Column:
        """Of all patients, by draw; -inf where one cannot be solved."""
        return self.by_subject(sites).sum(-1)

    def by_subject(
        self, sites: Sites, reference: bool = False
    ) -> Float[np.ndarray, "draw subject"]:
        """The same by subject, on the mesh or by the adaptive reference."""
        return self.terms(sites, reference)["log_likelihood"]

    def terms(self, sites: Sites, reference: bool = False) -> dict[str, np.ndarray]:
        """`log_likelihood` and `solve_status`, both [draw, subject]."""
        made, forms = self.problem, tuple(self.forms.items())
        stepper = reference_of(made.spec, made.model) if reference else None
        run = _program(made.spec, made.model, forms, stepper, made.schedule.subjects)
        mesh = reference_mesh(made, self.mesh) if reference else self.mesh
        args = jax.tree.map(jnp.asarray, (made.schedule, mesh))
        return over_draws(lambda chunk: run(chunk, *args), sites)

    def certificate(self, sites: Sites) -> Certificate | None:
        """The solver's, on some of these draws; None without a mesh of ours."""
        if not needs_mesh(self.problem):
            return None
        draws = len(next(iter(sites.values())))
        places = np.linspace(0, draws - 1, min(DRAWS, draws)).astype(int)

        def solved(place: np.ndarray, reference: bool) -> np.ndarray:
            own = {name: value[place] for name, value in sites.items()}
            return self.by_subject(own, reference)[..., None]

        return certify(
            lambda place: solved(place, False),
            lambda place: solved(place, True),
            places,
            places[:0],
            self.problem.schedule.subjects,
        )


def read_records(problem: Problem) -> Records:
    """The patients of a fit, with a mesh for the whole prior."""
    forms: Forms = dict.fromkeys(problem.spec.omega.random, "z")
    if not needs_mesh(problem):
        return Records(problem, forms, event_mesh(problem))
    drawn = draws_of(_prior(problem, forms), PILOTS, problem.spec.estimation.seed)
    pilots = individual_models(problem, forms, drawn, range(PILOTS))
    found = placed_mesh(problem, pilots, SHARE)
    settled = with_method(problem, found.method)
    return Records(settled, forms, found.mesh, found.why)


def _prior(problem: Problem, forms: Forms) -> Callable[[], object]:
    spec, model, schedule = problem.spec, problem.model, problem.schedule
    return lambda: sample_sites(spec, model, forms, schedule)


@lru_cache(maxsize=4)
def _program(
    spec: FitSpec,
    model: type[AnyModel],
    forms: tuple[tuple[str, Form], ...],
    stepper: AbstractStepper | None,
    subjects: int,
) -> Callable[..., dict[str, Array]]:
    """Log-likelihood and status by subject of (sites, schedule, mesh), compiled."""
    alone = spec.model_copy(update={"evidence": {}})
    function = population_model(alone, model, dict(forms), stepper)
    together = LANES // subjects

    def many(sites: Sites, *args: object) -> dict[str, Array]:
        def one(values: Sites) -> dict[str, Array]:
            known = seed(substitute(function, dict(values)), jax.random.key(0))
            found = trace(known).get_trace(*args)
            return {n: found[n]["value"] for n in ("log_likelihood", "solve_status")}

        return map_together(one, dict(sites), together)

    return jax.jit(many)
