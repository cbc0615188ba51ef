"""Sub-steps of the mesh: placed where pilot solves say that the error is made.

A fine uniform mesh is marched once at every pilot (parameter sets of all subjects).
The embedded error e of a step of length h says that a step of h·(tolerance / e)^(1/p)
would just do, with p = 5 the order of the error of Tsit5's embedded pair; the largest
need over pilots is met everywhere, and no step is longer than the stability bound.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.model import AbstractModel, Dosing
from imak_pkpd.solve.march import March, Stop, inputs_of, march
from imak_pkpd.solve.mesh import Mesh, build_mesh
from imak_pkpd.solve.shared import of_each
from imak_pkpd.solve.stepper import AbstractStepper, Crossing, Explicit
from imak_pkpd.solve.subject import at_setting

ORDER = 5  # local error of Tsit5's embedded fourth-order solution is O(h^5)
SAFETY = 0.9  # the usual margin of step-size controllers
STABLE = 2.5  # |λ|·h; the real stability interval of Tsit5 ends near 3.0
FINE = 512  # steps of the first mesh over the whole span
FINEST = 16384  # beyond this an explicit mesh is the wrong tool
# A state below this share of its largest value needs no relative accuracy of its own
# (but for `tops`, of which only the largest value matters).
NEGLIGIBLE = 1e-9


class _Asked(NamedTuple):
    """For what a mesh is made: patients, dosing, error of a step, and the stepper."""

    schedule: Schedule
    dosing: Mapping[str, Dosing]
    tolerance: float
    stepper: AbstractStepper
    share: float | None


class Need(NamedTuple):
    """What the pilots ask for, per subject and node of the fine mesh."""

    clock: Float[Array, "pilot subject node"]
    steps: Float[Array, "pilot subject node"]
    solved: Float[Array, "pilot subject"]


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
    asked = _Asked(schedule, dosing, tolerance, stepper or Explicit(), share)
    need = _first_needs(pilots, asked)
    coarse = _placed(need, asked)
    # Once more on the mesh just placed: a long first step hides what is inside it.
    need = _needs(pilots, coarse, asked)
    return _placed(need, asked) if need.solved.any(0).all() else coarse


def _first_needs(pilots: Sequence[AbstractModel], asked: _Asked) -> Need:
    """Needs on the coarsest uniform mesh that solves every subject at some pilot."""
    schedule, fine = asked.schedule, FINE
    while fine <= FINEST:
        mesh = build_mesh(schedule, asked.dosing, _uniform(schedule, fine))
        need = _needs(pilots, mesh, asked)
        if need.solved.any(0).all():
            return need
        fine *= 4
    hopeless = np.flatnonzero(~need.solved.any(0))
    raise ValueError(
        f"no pilot solves subject number {hopeless[0] + 1} even with {FINEST} steps: "
        "the priors may allow impossible rates, or the model is stiff "
        '(try [solver] method = "adaptive")'
    )


def _placed(need: Need, asked: _Asked) -> Mesh:
    """The mesh of the events with the needed sub-steps between them."""
    schedule, dosing = asked.schedule, asked.dosing
    events = build_mesh(schedule, dosing).clock
    if asked.share is None:
        steps = [
            sub_steps(need, np.array([s]), events[s], 1.0)
            for s in range(schedule.subjects)
        ]
    else:
        everyone, any_event = np.arange(schedule.subjects), np.unique(events)
        common = sub_steps(need, everyone, any_event, asked.share)
        steps = [common] * schedule.subjects
    return build_mesh(schedule, dosing, steps)


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
    """One march of the fine mesh per pilot."""
    run = jax.jit(lambda m, s, g: need_of(m, s, g, asked.tolerance, asked.stepper))
    found = [jax.tree.map(np.asarray, run(m, asked.schedule, mesh)) for m in pilots]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *found)


def need_of(
    model: AbstractModel,
    schedule: Schedule,
    mesh: Mesh,
    tolerance: float,
    stepper: AbstractStepper,
) -> Need:
    """What every subject asks for, by one march of a mesh; leaves [subject, ...]."""

    def one(model: AbstractModel, here: Schedule, grid: Mesh) -> Need:
        path = march(model, here, grid, stepper)
        size = jnp.abs(path.after)
        floor = _negligible(model, path) * size.max(0) + 1e-300
        relative = jnp.max(jnp.abs(path.error) / (size + floor), -1)
        h = jnp.where(path.stops.length > 0, path.stops.length, jnp.inf)
        per_time = (relative / (SAFETY * tolerance)) ** (1 / ORDER) / h
        fastest = lambda s, y: _speed(model, here, path.unravel, s, y, stepper)  # noqa: E731
        speed = jax.vmap(fastest)(path.stops, path.after)
        clock = path.stops.time + path.stops.shift
        needed = jnp.maximum(per_time, speed / STABLE)
        solved = (path.status == 0) & jnp.all(jnp.isfinite(needed))
        return Need(clock, jnp.where(jnp.isfinite(needed), needed, 0.0), solved)

    return of_each(one, model, schedule, mesh)


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
    need: Need, subjects: np.ndarray, events: np.ndarray, share: float
) -> np.ndarray:
    """Sub-step times: equal shares of the need between two events.

    The need at each time is what `share` of the solved pilots of `subjects` ask for.
    """
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
    total = np.concatenate([[0.0], np.cumsum(density * np.diff(grid))])
    ends = np.interp(np.unique(events), grid, total)
    shares = [
        np.linspace(a, b, max(int(np.ceil(b - a)), 1) + 1)[1:-1]
        for a, b in itertools.pairwise(ends)
    ]
    return np.interp(np.concatenate([*shares, np.zeros(0)]), total, grid)
