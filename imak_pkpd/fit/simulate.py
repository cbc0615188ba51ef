"""Predictions and replicates of the data at draws of the population parameters.

| name | random effects | residual error |
|---|---|---|
| `ipred` | the draw's own | none |
| `pred` | zero | none |
| `replicate_individual` | the draw's own | new |
| `replicate` | new patients | new |
| `iwres` | the draw's own | residual of DV, in units of its scale |

All are [draw, subject, observation]; but for `iwres` on the scale of DV, not censored.
`ipred` and `pred` of a count or a grade are its mean, of a time to an event the hazard.
A replicate of an event has the data's rows: 1 where it fell between a row and the one
before, also if its exact time is known in the data, NaN after it. `iwres` is then the
martingale residual of the row.
"""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from numpyro.handlers import seed, substitute, trace

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.fit.posterior import stepper_of
from imak_pkpd.fit.sites import columns, population_of, sample_sigmas, sample_sites
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.model import AnyModel
from imak_pkpd.observe import (
    Family,
    Sigmas,
    expected,
    families,
    in_every_row,
    iwres,
    of_rows,
    until_event,
)
from imak_pkpd.population.individual import individual_values
from imak_pkpd.population.omega import Form
from imak_pkpd.solve.curve import Curve
from imak_pkpd.solve.mesh import Mesh
from imak_pkpd.solve.stepper import AbstractStepper
from imak_pkpd.solve.together import map_together
from imak_pkpd.solve.trajectory import Prediction, curves_of, predict

Sites = Mapping[str, Float[np.ndarray, "draw ..."]]
Rows = Float[Array, "subject observation"]
CHUNK = 25  # draws in memory at once


class Simulator:
    """What is needed to simulate from one fit; `__call__` simulates many draws."""

    def __init__(
        self,
        spec: FitSpec,
        model: type[AnyModel],
        forms: Mapping[str, Form],
        stepper: AbstractStepper | None = None,
    ) -> None:
        self.spec, self.model, self.forms = spec, model, forms
        self.stepper = stepper or stepper_of(spec, model)

    def __call__(
        self, sites: Sites, schedule: Schedule, mesh: Mesh | None, key: PRNGKeyArray
    ) -> dict[str, Float[np.ndarray, "draw subject observation"]]:
        """Predictions and residuals for draws of the latent `sites` (own scale)."""
        draws = len(next(iter(sites.values())))
        keys = jax.random.split(key, draws)
        shared = {name: sites[name] for name in self.shared(schedule)}

        def run(xs: tuple, there: Schedule, grid: Mesh | None) -> dict[str, Array]:
            one = lambda x: self._one(x[0], x[1], there, grid, x[2])  # noqa: E731
            return map_together(one, xs, CHUNK)

        draws_and_keys = (dict(sites), shared, keys)
        return jax.tree.map(np.asarray, jax.jit(run)(draws_and_keys, schedule, mesh))

    def _one(
        self,
        values: Mapping[str, Array],
        shared: Mapping[str, Array],
        schedule: Schedule,
        mesh: Mesh | None,
        key: PRNGKeyArray,
    ) -> dict[str, Rows]:
        own_key, new_key, patient_key = jax.random.split(key, 3)
        own = seed(substitute(self._individuals, dict(values)), own_key)
        ipred, found = own(schedule, mesh)
        others_sites = self.new_patients(shared, schedule, patient_key)
        _, others = substitute(self._individuals, others_sites)(schedule, mesh)
        return {
            "ipred": ipred,
            "pred": self._selected(
                self.typical_outputs(values, schedule, mesh), schedule
            ),
            "replicate_individual": self._sampled(found, schedule, own_key),
            "replicate": self._sampled(others, schedule, new_key),
            "iwres": _residuals(found, schedule),
        }

    def _individuals(
        self, schedule: Schedule, mesh: Mesh | None
    ) -> tuple[Rows, list[Family]]:
        """Predictions and DV distributions of one draw; random effects are sites."""
        values, sigmas = sample_sites(self.spec, self.model, self.forms, schedule)
        made = self._prediction(self.model(**values), schedule, mesh, self.spec.hazards)
        outputs = made.outputs
        found = families(self.spec.output, schedule, outputs, sigmas, made.areas)
        return self._selected(self._expected(outputs, sigmas), schedule), found

    def _expected(self, outputs: Mapping[str, Rows], sigmas: Sigmas) -> dict[str, Rows]:
        return expected(self.spec.output, outputs, sigmas)

    def _outputs(
        self, model: AnyModel, schedule: Schedule, mesh: Mesh | None
    ) -> dict[str, Rows]:
        """The model's outputs by name; NaN in a subject that cannot be solved."""
        outputs = self._prediction(model, schedule, mesh).outputs
        return {
            name: outputs[name]
            for output, block in self.spec.output.items()
            for name in block.reads(output)
        }

    def _prediction(
        self,
        model: AnyModel,
        schedule: Schedule,
        mesh: Mesh | None,
        integrated: Sequence[str] = (),
    ) -> Prediction:
        """The model's outputs; NaN in a subject that cannot be solved."""
        made = predict(model, schedule, mesh, self.stepper, integrated)
        solved = (made.status == 0)[:, None]
        known = lambda x: jnp.where(solved, x, jnp.nan)  # noqa: E731
        return Prediction(
            jax.tree.map(known, dict(made.outputs)),
            made.status,
            made.when,
            jax.tree.map(known, dict(made.areas)),
        )

    def new_patients(
        self, shared: Mapping[str, Array], schedule: Schedule, key: PRNGKeyArray
    ) -> dict[str, Array]:
        """All latent sites, those of the patients drawn anew.

        Of the patients in `replicate` at the first of `split(key_of_draw, 3)[2]`.
        """
        drawn = seed(substitute(sample_sites, dict(shared)), key)
        found = trace(drawn).get_trace(self.spec, self.model, self.forms, schedule)
        return {n: s["value"] for n, s in found.items() if s["type"] == "sample"}

    def own_outputs(
        self, sites: Mapping[str, Array], schedule: Schedule, mesh: Mesh | None
    ) -> dict[str, Rows]:
        """What each output is expected to be at every observation, at one draw of all
        latent sites."""
        drawn = seed(substitute(sample_sites, dict(sites)), jax.random.key(0))
        values, sigmas = drawn(self.spec, self.model, self.forms, schedule)
        outputs = self._outputs(self.model(**values), schedule, mesh)
        return self._expected(outputs, sigmas)

    def hazards(
        self, sites: Mapping[str, Array], schedule: Schedule, mesh: Mesh
    ) -> tuple[dict[str, Curve], Mapping[str, Rows]]:
        """The hazards over time, and their integrals row by row, at one draw of all
        latent sites."""
        drawn = seed(substitute(sample_sites, dict(sites)), jax.random.key(0))
        values, _ = drawn(self.spec, self.model, self.forms, schedule)
        model, names = self.model(**values), self.spec.hazards
        areas = self._prediction(model, schedule, mesh, names).areas
        curves = curves_of(model, schedule, mesh, self.stepper)
        return {name: curves[name] for name in names}, areas

    def typical_outputs(
        self, sites: Mapping[str, Array], schedule: Schedule, mesh: Mesh | None
    ) -> dict[str, Rows]:
        """The same at random effects of zero."""
        population = population_of(self.spec, self.model, self.forms, schedule)
        values = individual_values(
            population, sites, {}, columns(schedule), schedule.patient
        )
        drawn = seed(substitute(sample_sigmas, dict(sites)), jax.random.key(0))
        outputs = self._outputs(self.model(**values), schedule, mesh)
        return self._expected(outputs, drawn(self.spec, schedule))

    def _selected(self, outputs: Mapping[str, Rows], schedule: Schedule) -> Rows:
        """The output that each row measures."""
        by_place = dict(enumerate(outputs[name] for name in self.spec.output))
        return of_rows(by_place, jnp.asarray(schedule.observations.output))

    def _sampled(
        self, found: list[Family], schedule: Schedule, key: PRNGKeyArray
    ) -> Rows:
        """A new DV in every row; rows are independent: one key serves all families."""
        drawn = in_every_row(found, lambda family: family.sample(key))
        if not self.spec.hazards:
            return drawn
        timed = jnp.array([block.timed for block in self.spec.output.values()])
        return until_event(drawn, jnp.asarray(schedule.observations.output), timed)

    def latent(self, schedule: Schedule) -> tuple[str, ...]:
        """The names of all sites that are sampled."""
        return tuple(self._sites(schedule))

    def shared(self, schedule: Schedule) -> tuple[str, ...]:
        """The names of those that do not belong to patients."""
        return tuple(
            n for n, of_patient in self._sites(schedule).items() if not of_patient
        )

    def _sites(self, schedule: Schedule) -> dict[str, bool]:
        """The sampled sites, and whether each lies inside the plate `patient`."""
        found: dict[str, bool] = {}

        def traced(there: Schedule) -> None:
            sites = trace(seed(sample_sites, jax.random.key(0))).get_trace(
                self.spec, self.model, self.forms, there
            )
            for name, site in sites.items():
                if site["type"] == "sample":
                    plates = [frame.name for frame in site["cond_indep_stack"]]
                    found[name] = "patient" in plates

        jax.eval_shape(traced, schedule)  # nothing is computed
        return found


def _residuals(found: list[Family], schedule: Schedule) -> Rows:
    """IWRES of DV; of its limit in a censored row."""
    dv = jnp.asarray(schedule.observations.value)
    return in_every_row(found, lambda family: iwres(family.distribution, dv))
