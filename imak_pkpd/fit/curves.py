"""Smooth predictions of every patient: all outputs on a dense grid of times.

`curve_group` gives what `posterior_predictive` holds of them: quantiles over draws,
because the draws themselves would be larger than the posterior.
"""

from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.fit.meshing import Forms
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.simulate import CHUNK, Simulator, Sites
from imak_pkpd.fit.tree import Variable
from imak_pkpd.solve.mesh import LAST, Mesh, build_mesh, declared_dosing
from imak_pkpd.solve.together import map_together

POINTS = 60  # of a curve: a third of them spread evenly in time
DRAWS = 50  # the ends of a 90 % band rest on two or three of them
BAND = (0.05, 0.5, 0.95)  # the 90 % interval, as that of IPRED
DIMS = ("subject", "point", "output")


def curve_group(
    problem: Problem, forms: Forms, mesh: Mesh | None, sites: Sites
) -> dict[str, Variable]:
    """Median and 90 % interval of every curve, and the median of the typical one.

    `sites` are draws [draw, ...] of the latent sites; at most `DRAWS` of them are used.
    NaN where a draw cannot be solved.
    """
    draws = len(next(iter(sites.values())))
    some = np.linspace(0, draws - 1, min(DRAWS, draws)).astype(int)
    grid = grid_schedule(problem.schedule)
    simulator = Simulator(problem.spec, problem.model, forms)
    own, typical = _curves(
        simulator,
        {name: values[some] for name, values in sites.items()},
        grid,
        grid_mesh(problem, grid, mesh),
    )
    low, middle, high = np.quantile(own, BAND, axis=0)
    return {
        "curve_time": Variable(DIMS[:2], np.asarray(grid.observations.time)),
        "curve_low": Variable(DIMS, low),
        "curve_median": Variable(DIMS, middle),
        "curve_high": Variable(DIMS, high),
        "curve_population": Variable(DIMS, np.median(typical, axis=0)),
    }


def grid_schedule(schedule: Schedule) -> Schedule:
    """The schedule with a dense grid, first record to last, for its observations."""
    subjects = range(schedule.subjects)
    return observed_at(schedule, np.stack([_grid(schedule, each) for each in subjects]))


def observed_at(
    schedule: Schedule, clock: Float[np.ndarray, "subject point"]
) -> Schedule:
    """The schedule with these instants for its observations: after their records."""
    shape, resets = clock.shape, schedule.resets
    begun = np.asarray(resets.mask)[:, None] & (
        np.asarray(resets.clock)[:, None] <= clock[..., None]
    )
    shift = np.take_along_axis(np.asarray(resets.shift), begun.sum(-1), 1)
    setting, covariate = _covariates(schedule, clock)
    seen = schedule.observations
    names = ("value", "limit", "censor", "output", "row")
    unused = {n: np.zeros(shape, np.asarray(getattr(seen, n)).dtype) for n in names}
    observations = type(seen)(
        clock=clock,
        order=np.full(shape, LAST, np.int32),
        time=clock - shift,
        setting=setting,
        covariate=covariate,
        mask=np.ones(shape, bool),
        **unused,
    )
    return eqx.tree_at(lambda s: s.observations, schedule, observations)


def _grid(schedule: Schedule, subject: int) -> Float[np.ndarray, " point"]:
    """A third each: even times, records, and times spread evenly in record number.

    Where samples are dense, the curve bends.
    """
    doses, seen = schedule.doses, schedule.observations
    records = np.unique(
        np.concatenate(
            [np.asarray(x.clock)[subject][x.mask[subject]] for x in (doses, seen)]
        )
    )
    begin, end = float(schedule.begin[subject]), float(schedule.end[subject])
    records = np.clip(records, begin, end)
    if len(records) == 0:
        return np.linspace(begin, end, POINTS)
    third, last = POINTS // 3, len(records) - 1
    there = records[np.linspace(0, last, third).astype(int)]
    between = np.interp(np.linspace(0, last, third), np.arange(last + 1), records)
    even = np.linspace(begin, end, POINTS - 2 * third)
    return np.sort(np.concatenate([even, there, between]))


def _covariates(
    schedule: Schedule, clock: Float[np.ndarray, "subject point"]
) -> tuple[Int[np.ndarray, "subject point"], Float[np.ndarray, "subject point column"]]:
    """The setting in force at each instant, and the covariates' values there."""
    known = jax.tree.map(np.asarray, schedule.covariates)
    before = known.start[:, None] < clock[..., None]
    change = np.maximum(before.sum(-1) - 1, 0)
    subject = np.arange(len(clock))[:, None]
    setting = known.setting[subject, change]
    value = known.value[subject, setting].copy()
    start = known.start[subject, change]
    since = clock - np.where(np.isfinite(start), start, 0.0)
    for place, name in enumerate(schedule.columns):
        if name in schedule.linear:
            slope = known.slope[subject, change, place]
            value[..., place] = known.base[subject, change, place] + slope * since
    return setting.astype(np.int32), value


def grid_mesh(problem: Problem, grid: Schedule, mesh: Mesh | None) -> Mesh | None:
    """The mesh of the fit with nodes at the grid; None for a model without states."""
    if mesh is None:
        return None
    dosing = declared_dosing(problem.model)
    rows = list(np.asarray(mesh.clock))
    return build_mesh(grid, dosing, rows, mesh.steady_steps)


def _curves(
    simulator: Simulator, sites: Sites, grid: Schedule, mesh: Mesh | None
) -> tuple[
    Float[np.ndarray, "draw subject point output"],
    Float[np.ndarray, "draw subject point output"],
]:
    """Individual and typical curves of each draw."""

    def run(
        draws: Mapping[str, Array], there: Schedule, nodes: Mesh | None
    ) -> tuple[Array, Array]:
        def one(values: Mapping[str, Array]) -> tuple[Array, Array]:
            return (
                _stacked(simulator.own_outputs(values, there, nodes)),
                _stacked(simulator.typical_outputs(values, there, nodes)),
            )

        return map_together(one, draws, CHUNK)

    own, typical = jax.jit(run)(dict(sites), grid, mesh)
    return np.asarray(own), np.asarray(typical)


def _stacked(outputs: Mapping[str, Array]) -> Float[Array, "subject point output"]:
    return jnp.stack(list(outputs.values()), -1)
