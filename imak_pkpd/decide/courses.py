"""Time courses of outputs under a few designs: two bands that are never one.

`patients` is how patients differ (5, 50, 95 % of them, the median over draws),
`median` how little is known of their median (5 and 95 % over draws).
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from imak_pkpd.decide.designs import Treated
from imak_pkpd.decide.evaluate import Batch, Program, by_draw
from imak_pkpd.solve.cores import on_all_cores
from imak_pkpd.solve.curve import value_at
from imak_pkpd.solve.trajectory import solve

POINTS = 61
OF_PATIENTS = (0.05, 0.5, 0.95)
OF_DRAWS = (0.05, 0.95)

Times = Float[np.ndarray, " point"]


class Course(NamedTuple):
    """One output of one design; in the unit of the output."""

    patients: Float[np.ndarray, "point quantile"]
    median: Float[np.ndarray, "point end"]


class Courses(NamedTuple):
    """Of every design in `amounts` (in the order of the block): outputs by name.

    `units` are those of the outputs, and of `time` by that word.
    """

    units: Mapping[str, str]
    amounts: Float[np.ndarray, "design dose"]
    time: Mapping[str, Times]
    found: tuple[Mapping[str, Course], ...]


def courses(
    made: Treated,
    batch: Batch,
    amounts: Float[np.ndarray, "design dose"],
    until: Mapping[str, float],
    program: Program | None = None,
) -> Courses:
    """Outputs from the first record to their own `until`, at the draws of a batch.

    Patients who cannot be solved are left out, as in the table, which counts them.
    `program` is that of `traced_courses`, where it is compiled already.
    """
    run = program or _program(made, until)
    time = _times(made, until)

    def one(row: np.ndarray) -> dict[str, Course]:
        found = run(batch, jnp.asarray(row))
        return {name: _course(np.asarray(value)) for name, value in found.items()}

    model = made.cohort.model
    units = {"time": model.time, **{name: model.outputs[name] for name in until}}
    return Courses(units, amounts, time, tuple(on_all_cores(one, list(amounts))))


def traced_courses(
    made: Treated, batch: Batch, until: Mapping[str, float]
) -> jax.stages.Lowered:
    """The program of `courses`; see `evaluate.traced_rows`."""
    return _program(made, until).lower(batch, jnp.ones(len(made.block.amount)))


def _program(made: Treated, until: Mapping[str, float]) -> Any:
    return by_draw(made, partial(_quantiles, _times(made, until)))


def _times(made: Treated, until: Mapping[str, float]) -> dict[str, Times]:
    begin = float(np.min(np.asarray(made.cohort.schedule.begin)))
    return {name: np.linspace(begin, end, POINTS) for name, end in until.items()}


def _course(quantiles: Float[np.ndarray, "draw quantile point"]) -> Course:
    middle = quantiles[:, OF_PATIENTS.index(0.5)]
    return Course(
        np.nanmedian(quantiles, axis=0).T, np.nanquantile(middle, OF_DRAWS, axis=0).T
    )


def _quantiles(
    time: Mapping[str, Times], there: Treated, sites: Mapping[str, Array], given: Array
) -> dict[str, Float[Array, "quantile point"]]:
    """Of the patients at one draw."""
    model, schedule = there.individuals(sites, given)
    path = solve(model, schedule, there.cohort.mesh, there.cohort.stepper)
    found = {}
    for name, at in time.items():
        value = jax.vmap(value_at, in_axes=(0, None))(
            path.outputs[name], jnp.asarray(at)
        )
        known = jnp.where((path.status == 0)[:, None], value, jnp.nan)
        found[name] = jnp.nanquantile(known, jnp.asarray(OF_PATIENTS), axis=0)
    return found
