"""Sub-steps of the mesh: placed where pilot solves say that the error is made.

A fine mesh is marched once at every pilot (parameter sets of all subjects). The
embedded error e of a step of length h says that a step of h·(tolerance / e)^(1/p) would
just do, with p its order (`Steps`); the largest need over pilots is met everywhere, and
no step of an explicit method is longer than its stability bound.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int

from imak_pkpd.data.padding import bucket
from imak_pkpd.data.schedule import Schedule
from imak_pkpd.model import AbstractModel, Dosing, Scalar
from imak_pkpd.solve.cores import on_all_cores
from imak_pkpd.solve.march import March, Stop, inputs_of, march
from imak_pkpd.solve.mesh import Mesh, build_mesh, padded
from imak_pkpd.solve.shared import of_each, with_shared
from imak_pkpd.solve.stepper import AbstractStepper, Crossing, Explicit, Steps
from imak_pkpd.solve.subject import at_setting

SAFETY = 0.9  # the usual margin of step-size controllers
FINE = 512  # steps of the first mesh over the whole span
LOOKED = bucket(FINE + 64)  # nodes of a mesh to be looked at, with its events
FINEST = 16384  # beyond this an explicit mesh is the wrong tool
LAYERS = 20  # first steps after an event, each twice as long: from 1e-6 of its interval
# At most, to place the steps of a stiff model: each look finds layers within steps.
LOOKS = 6
CROWDED = 2.0  # a step that should be no more than two is placed well enough
# A state below this share of its largest value needs no relative accuracy of its own
# (but for `tops`, of which only the largest value matters).
NEGLIGIBLE = 1e-9


class _Asked(NamedTuple):
    """For what a mesh is made: patients, dosing, the times of their events, error of a
    step, and the stepper."""

    schedule: Schedule
    dosing: Mapping[str, Dosing]
    events: Float[np.ndarray, "subject node"]
    tolerance: float
    stepper: AbstractStepper
    steps: Steps
    share: float | None


class Need(NamedTuple):
    """What the pilots ask for, per subject and node of the fine mesh.

    `steps` are per time; `accurate` those of them that accuracy alone asks for;
    `states` is how many states there are.
    """

    clock: Float[Array, "pilot subject node"]
    steps: Float[Array, "pilot subject node"]
    accurate: Float[Array, "pilot subject node"]
    solved: Float[Array, "pilot subject"]
    states: Int[Array, "pilot subject"]


class _Demand(NamedTuple):
    """How many steps a subject asks for from its first event up to each time."""

    clock: Float[np.ndarray, " time"]
    steps: Float[np.ndarray, " time"]


class Calibrated(NamedTuple):
    """A mesh, the steps that its neediest subject asks for, those of them that accuracy
    alone asks for, the number of states, and the share of pilots and subjects that were
    solved."""

    mesh: Mesh
    steps: float
    accurate: float
    states: int
    solved: float


def calibrate(
    pilots: Sequence[AbstractModel],
    schedule: Schedule,
    dosing: Mapping[str, Dosing],
    tolerance: float,
    stepper: AbstractStepper | None = None,
    share: float | None = None,
) -> Mesh:
    """The mesh whose steps have a relative error of `tolerance` at every pilot.

    `pilots` are models with leaves [subject]; `stepper` is what will cross the mesh
    (`Explicit`). With a `share`, all subjects get the same steps, which that share of
    pilots and subjects would ask for at the most: for subjects that stand for others.
    Raises a `ValueError` when no pilot can be solved.
    """
    crossing = stepper or Explicit()
    return calibrated(pilots, schedule, dosing, tolerance, crossing, share).mesh


def calibrated(
    pilots: Sequence[AbstractModel],
    schedule: Schedule,
    dosing: Mapping[str, Dosing],
    tolerance: float,
    stepper: AbstractStepper,
    share: float | None = None,
) -> Calibrated:
    """The mesh of `calibrate`, and how many steps were asked for."""
    if stepper.steps is None:
        raise ValueError(
            f"{type(stepper).__name__} crosses intervals of any length: its mesh has "
            "no sub-steps to place, use `build_mesh`"
        )
    events = np.asarray(build_mesh(schedule, dosing).clock)
    asked = _Asked(schedule, dosing, events, tolerance, stepper, stepper.steps, share)
    need = _refuse_endless(_first_needs(pilots, asked), asked)
    # Looked at once more on the mesh just placed: a long first step hides what is
    # inside it. Where stability does not bound a step, it may hide much.
    for _ in range(1 if math.isfinite(asked.steps.stable) else LOOKS):
        mesh = _placed(need, asked)
        again = _needs(pilots, mesh, asked)
        if not again.solved.any(0).all():
            return _counted(mesh, need, asked)
        need = again
        if math.isinf(asked.steps.stable) and _crowded(need) <= CROWDED:
            break
    return _counted(_placed(need, asked), need, asked)


def _counted(mesh: Mesh, need: Need, asked: _Asked) -> Calibrated:
    def most(each: Need) -> float:
        return max(float(demand.steps[-1]) for demand in _demands(each, asked))

    accurate = need._replace(steps=need.accurate)
    states, solved = int(np.max(need.states)), float(need.solved.mean())
    return Calibrated(mesh, most(need), most(accurate), states, solved)


def _crowded(need: Need) -> float:
    """How many steps the neediest step should be, of pilots that can be solved."""
    each = need.steps[..., :-1] * np.diff(need.clock, axis=-1)
    return float(each[need.solved].max(initial=0.0))


def _first_needs(pilots: Sequence[AbstractModel], asked: _Asked) -> Need:
    """Needs on the coarsest uniform mesh that solves every subject at some pilot."""
    fine = FINE
    while fine <= FINEST:
        mesh = build_mesh(asked.schedule, asked.dosing, _first_steps(asked, fine))
        need = _needs(pilots, mesh, asked)
        if need.solved.any(0).all():
            return need
        fine *= 4
    hopeless = np.flatnonzero(~need.solved.any(0))
    raise _unsolved(
        f"no pilot solves subject number {hopeless[0] + 1} even with {FINEST} steps"
    )


def _refuse_endless(need: Need, asked: _Asked) -> Need:
    """The need itself; an error where it asks for more steps than can be made."""
    most = max(float(demand.steps[-1]) for demand in _demands(need, asked))
    if math.isfinite(asked.steps.stable) and most > FINEST:
        raise _unsolved(f"the pilots ask for {most:.3g} steps, {FINEST} at the most")
    return need


def _unsolved(what: str) -> "UnsolvedError":
    return UnsolvedError(
        f"{what}: the priors may allow impossible rates, or the model is stiff "
        '(try [solver] method = "rosenbrock", or "adaptive")'
    )


class UnsolvedError(ValueError):
    """No mesh that is fine enough for the stepper was found."""


def _first_steps(asked: _Asked, fine: int) -> list[np.ndarray]:
    """So many equal steps; where stability does not bound them, layers after events."""
    even = _uniform(asked.schedule, fine)
    if math.isfinite(asked.steps.stable):
        return even
    rows = zip(even, map(np.unique, asked.events), strict=True)
    return [np.union1d(row, _layers(each)) for row, each in rows]


def _layers(events: Float[np.ndarray, " event"]) -> Float[np.ndarray, " time"]:
    """Times after each event at halves, quarters, ... of the interval that follows."""
    shares = 0.5 ** np.arange(1, LAYERS + 1)
    return (events[:-1, None] + np.diff(events)[:, None] * shares).ravel()


def _placed(need: Need, asked: _Asked) -> Mesh:
    """The mesh of the events with the needed sub-steps between them."""
    events = list(asked.events)
    if asked.share is not None:
        events = [np.unique(asked.events)] * asked.schedule.subjects
    pairs = zip(_demands(need, asked), events, strict=True)
    return build_mesh(asked.schedule, asked.dosing, [_place(*pair) for pair in pairs])


def _demands(need: Need, asked: _Asked) -> list[_Demand]:
    """Of every subject; with a share, one for all."""
    count, events = asked.schedule.subjects, asked.events
    if asked.share is None:
        return [_demand(need, [s], events[s], 1.0) for s in range(count)]
    return [_demand(need, range(count), np.unique(events), asked.share)] * count


def refined(mesh: Mesh, schedule: Schedule, dosing: Mapping[str, Dosing]) -> Mesh:
    """The mesh with every step halved."""
    clock = np.asarray(mesh.clock)
    middles = [np.unique(0.5 * (row[1:] + row[:-1])) for row in clock]
    extra = [
        np.unique(np.concatenate([row, middle]))
        for row, middle in zip(clock, middles, strict=True)
    ]
    return build_mesh(schedule, dosing, extra, 2 * mesh.steady_steps)


def _uniform(schedule: Schedule, steps: int) -> list[np.ndarray]:
    ends = zip(np.asarray(schedule.begin), np.asarray(schedule.end), strict=True)
    return [np.linspace(begin, end, steps + 1)[1:-1] for begin, end in ends]


def _needs(pilots: Sequence[AbstractModel], mesh: Mesh, asked: _Asked) -> Need:
    schedule = asked.schedule
    if asked.share is not None:  # all subjects are on the same steps
        schedule, mesh = with_shared(schedule, mesh)
    given = [(pilot, schedule) for pilot in pilots]
    return needs(given, mesh, asked.tolerance, asked.stepper)


def needs(
    pilots: Sequence[tuple[AbstractModel, Schedule]],
    mesh: Mesh,
    tolerance: float,
    stepper: AbstractStepper,
) -> Need:
    """What each pilot, models with a schedule, asks for: one march of the mesh each.

    Meshes are padded to one length: another of them compiles nothing.
    """
    run, grid = looking(stepper), padded(mesh, LOOKED)

    def one(pilot: tuple[AbstractModel, Schedule]) -> Need:
        return jax.tree.map(np.asarray, run(*pilot, grid, tolerance))

    found = on_all_cores(one, pilots)
    return jax.tree.map(lambda *leaves: np.stack(leaves), *found)


@lru_cache(maxsize=16)
def looking(stepper: AbstractStepper) -> Callable[..., Need]:
    """`_need` of (model, schedule, mesh, tolerance), compiled."""
    return jax.jit(partial(_need, stepper=stepper))


def _need(
    model: AbstractModel,
    schedule: Schedule,
    mesh: Mesh,
    tolerance: Scalar,
    stepper: AbstractStepper,
) -> Need:
    """What every subject asks for, by one march of a mesh; leaves [subject, ...]."""
    assert stepper.steps is not None  # `calibrated` refuses the others
    order, stable = stepper.steps

    def one(model: AbstractModel, here: Schedule, grid: Mesh) -> Need:
        path = march(model, here, grid, stepper)
        size = jnp.abs(path.after)
        floor = _negligible(model, path) * size.max(0) + 1e-300
        relative = jnp.max(jnp.abs(path.error) / (size + floor), -1)
        h = jnp.where(path.stops.length > 0, path.stops.length, jnp.inf)
        accurate = (relative / (SAFETY * tolerance)) ** (1 / order) / h
        clock = path.stops.time + path.stops.shift
        needed = accurate
        if math.isfinite(stable):
            fastest = lambda s, y: _speed(model, here, path.unravel, s, y, stepper)  # noqa: E731
            speed = _on_the_way(fastest, path)
            needed = jnp.maximum(accurate, speed / stable)
        known = lambda x: jnp.where(jnp.isfinite(needed), x, 0.0)  # noqa: E731
        solved = (path.status == 0) & jnp.all(jnp.isfinite(needed))
        states = jnp.asarray(path.after.shape[-1])
        return Need(clock, known(needed), known(accurate), solved, states)

    return of_each(one, model, schedule, mesh)


def _on_the_way(speed: Callable, path: March) -> Float[Array, " node"]:
    """The speed at each node, none at padding (see `Split`)."""

    def at(node: tuple[Stop, Array]) -> Array:
        stop, _ = node
        return jax.lax.cond(
            stop.length > 0, lambda: speed(*node), lambda: jnp.zeros(())
        )

    return jax.lax.map(at, (path.stops, path.after))


def _negligible(model: AbstractModel, path: March) -> Float[Array, " state"]:
    """The share of a state's largest value below which it needs no accuracy."""
    share = path.unravel(jnp.full(path.after.shape[-1], NEGLIGIBLE))
    whole = {name: jnp.ones_like(getattr(share, name)) for name in type(model).tops}
    return ravel_pytree(share._replace(**whole))[0]


def _speed(
    model: AbstractModel,
    schedule: Schedule,
    unravel: Callable,
    stop: Stop,
    y: Array,
    stepper: AbstractStepper,
) -> Float[Array, ""]:
    """A bound on the fastest rate: the spectral radius of the Jacobian.

    States are scaled by their own sizes first, which leaves the eigenvalues as they are
    and brings the norm close to the radius.
    """
    here = at_setting(model, schedule.covariates.setting[stop.change])
    crossing = Crossing(here, inputs_of(schedule, stop), unravel)
    field, y = stepper.moving(crossing, stop.time, y)
    slope = jax.jacfwd(lambda x: field(stop.time, x))(y)
    size = jnp.abs(y) + NEGLIGIBLE * jnp.max(jnp.abs(y)) + 1e-300
    slope = slope * size[None, :] / size[:, None]
    # Gelfand: |J^8|^(1/8) bounds the radius from above and is near it.
    scale = jnp.max(jnp.abs(slope)) + 1e-300
    matrix = slope / scale
    for _ in range(3):
        matrix = matrix @ matrix
    norm = jnp.sqrt(jnp.sum(matrix**2))
    return scale * norm ** (1 / 8)


def sub_steps(
    need: Need, subjects: Sequence[int], events: np.ndarray, share: float
) -> np.ndarray:
    """The steps that `share` of the solved pilots of `subjects` ask for at the most."""
    return _place(_demand(need, subjects, events, share), events)


def _demand(
    need: Need, subjects: Sequence[int], events: np.ndarray, share: float
) -> _Demand:
    """The need, summed over time: at each time what `share` of the solved pilots of
    `subjects` ask for."""
    asking = [
        (need.clock[pilot, s], need.steps[pilot, s])
        for s in subjects
        for pilot in np.flatnonzero(need.solved[:, s])
    ]
    grid = np.unique(np.concatenate([*(clock for clock, _ in asking), events]))
    grid = grid[(grid >= events[0]) & (grid <= events[-1])]
    middle = 0.5 * (grid[1:] + grid[:-1])
    each = [
        steps[np.searchsorted(clock, middle, "right") - 1] for clock, steps in asking
    ]
    density = np.quantile(np.stack(each), share, axis=0)
    return _Demand(grid, np.concatenate([[0.0], np.cumsum(density * np.diff(grid))]))


def _place(demand: _Demand, events: np.ndarray) -> np.ndarray:
    """Sub-step times: equal shares of the demand between two events."""
    grid, total = demand
    ends = np.interp(np.unique(events), grid, total)
    shares = [
        np.linspace(a, b, max(int(np.ceil(b - a)), 1) + 1)[1:-1]
        for a, b in itertools.pairwise(ends)
    ]
    return np.interp(np.concatenate([*shares, np.zeros(0)]), total, grid)
