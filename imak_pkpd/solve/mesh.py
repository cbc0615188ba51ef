"""`Mesh`: the points in time at which one step ends and the next begins, per subject.

A node may carry one action (a dose arrives, a reset, a steady state is set); the
observations at a node see the state after it. Nodes at equal times follow file order.
Where lag, F on an infusion, rate or duration are parameters, the arrivals of one draw
are inserted in the trace (`insert_arrivals`): an inserted node only splits a step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from imak_pkpd.data.events import MODELLED_DURATION, MODELLED_RATE, RATE
from imak_pkpd.data.padding import bucket, pad
from imak_pkpd.data.schedule import Doses, ItemF, ItemI, Schedule
from imak_pkpd.model import AnyModel, Dosing, parameters
from imak_pkpd.solve.arrivals import Arrivals, DoseParameters, arrive

NOTHING, ARRIVAL, RESET, STEADY = range(4)
"""What happens at a node."""

LAST = np.iinfo(np.int32).max
"""File order of an infusion's end: after every record at the same time."""


class Nodes(NamedTuple):
    """One subject's nodes; `dose` is the entry that acts, `at` where it is observed.

    `running` says which infusions run in the interval that follows a node.
    """

    clock: Float[Array, " node"]
    action: Int[Array, " node"]
    dose: Int[Array, " node"]
    at: Int[Array, " observation"]
    running: Bool[Array, "node dose"]


class Mesh(eqx.Module):
    """Padded nodes [subject, node]; padding is steps of length zero.

    `steady` [subject, record] lists the dose entries that set a steady state, solved
    with `steady_steps` equal steps in each part of the period.
    """

    clock: ItemF
    order: ItemI
    action: ItemI
    dose: ItemI
    at: ItemI
    steady: ItemI
    moving: bool = eqx.field(static=True)
    steady_steps: int = eqx.field(static=True)

    @property
    def nodes(self) -> int:
        return self.clock.shape[1]


def declared_dosing(model: type[AnyModel]) -> Mapping[str, Dosing]:
    """Which dosing parameters a model class declares (not None), by dose name."""
    ones: Any = model(**dict.fromkeys(parameters(model), jnp.ones(())))
    return {name: ones.dosing(name) for name in model.doses}


def moves(doses: Doses, names: Sequence[str], dosing: Mapping[str, Dosing]) -> bool:
    """Whether an arrival or an end depends on a parameter."""
    mode, mask, name = (np.asarray(x) for x in (doses.mode, doses.mask, doses.name))
    if np.isin(mode[mask], (MODELLED_RATE, MODELLED_DURATION)).any():
        return True
    lagged = [i for i, n in enumerate(names) if dosing[n].lag is not None]
    scaled = [i for i, n in enumerate(names) if dosing[n].F is not None]
    return bool(
        np.isin(name[mask], lagged).any()
        or np.isin(name[mask & (mode == RATE)], scaled).any()
    )


def build_mesh(
    schedule: Schedule,
    dosing: Mapping[str, Dosing],
    extra: Sequence[np.ndarray] | None = None,
    steady_steps: int = 64,
) -> Mesh:
    """The mesh of a schedule: its events, and `extra` sub-step times per subject.

    `dosing` says which dosing parameters the model declares. Without `extra` every
    step runs from event to event (closed form, adaptive).
    """
    moving = moves(schedule.doses, schedule.dose_names, dosing)
    fixed = None if moving else _fixed_arrivals(schedule)
    extra = extra or [np.zeros(0)] * schedule.subjects
    subjects = [
        _subject_nodes(schedule, fixed, extra[i], i) for i in range(schedule.subjects)
    ]
    length = bucket(max(len(clock) for clock, *_ in subjects))
    width = schedule.observations.clock.shape[1]
    return Mesh(
        clock=_pad_with_last([s[0] for s in subjects], length),
        order=pad([s[1] for s in subjects], length, float(LAST), np.int32),
        action=pad([s[2] for s in subjects], length, float(NOTHING), np.int32),
        dose=pad([s[3] for s in subjects], length, 0.0, np.int32),
        at=pad([s[4] for s in subjects], width, 0.0, np.int32),
        steady=_steady_entries(schedule.doses),
        moving=moving,
        steady_steps=steady_steps,
    )


def padded(mesh: Mesh, nodes: int) -> Mesh:
    """The same with at least so many nodes."""
    more = max(nodes - mesh.nodes, 0)

    def filled(leaf: ItemI, fill: int) -> np.ndarray:
        return np.pad(leaf, ((0, 0), (0, more)), constant_values=fill)

    return replace(
        mesh,
        clock=np.pad(mesh.clock, ((0, 0), (0, more)), mode="edge"),
        order=filled(mesh.order, LAST),
        action=filled(mesh.action, NOTHING),
        dose=filled(mesh.dose, 0),
    )


def _pad_with_last(rows: list[np.ndarray], length: int) -> np.ndarray:
    """Rows padded by their own last time: steps of length zero."""
    return np.stack([np.pad(row, (0, length - len(row)), mode="edge") for row in rows])


def _fixed_arrivals(schedule: Schedule) -> Arrivals:
    """Arrivals of every subject when no parameter moves them."""
    shape = schedule.doses.clock.shape
    zero, one = jnp.zeros(shape), jnp.ones(shape)
    none = DoseParameters(lag=zero, F=one, rate=one, duration=one)
    return jax.vmap(arrive)(schedule.doses, schedule.resets, none)


Points = list[tuple[float, int, int, int]]


def _subject_nodes(
    schedule: Schedule, fixed: Arrivals | None, extra: np.ndarray, subject: int
) -> tuple[np.ndarray, ...]:
    """Clock, order, action and dose of one subject's nodes, and where it observes."""
    here = jax.tree.map(lambda leaf: np.asarray(leaf)[subject], schedule)
    points: Points = [(float(here.begin), -1, NOTHING, 0)]
    points += [(float(t), LAST, NOTHING, 0) for t in extra]
    points += _record_points(here)
    if fixed is not None:
        points += _arrival_points(
            here.doses, jax.tree.map(lambda leaf: np.asarray(leaf)[subject], fixed)
        )
    seen = here.observations
    kept = np.flatnonzero(seen.mask)
    observed = [(float(seen.clock[j]), int(seen.order[j])) for j in kept]
    points += [(clock, order, NOTHING, 0) for clock, order in observed]
    between = np.zeros(0) if fixed is not None else np.unique(here.doses.order)
    nodes = _merge(sorted(points), between)
    keys = [(clock, order) for clock, order, *_ in nodes]
    at = np.searchsorted(_keys(keys), _keys(observed), "right") - 1
    clock, order, action, dose = (np.array(c) for c in zip(*nodes, strict=True))
    return clock, order, action, dose, at


def _keys(pairs: list[tuple[float, int]]) -> np.ndarray:
    """Time and file order as one sortable array."""
    return np.array(pairs, dtype=[("clock", "f8"), ("order", "i8")])


def _record_points(here: Schedule) -> Points:
    """Resets, steady states and covariate changes."""
    resets, doses = here.resets, here.doses
    points: Points = [
        (float(resets.clock[r]), int(resets.order[r]), RESET, 0)
        for r in np.flatnonzero(resets.mask & resets.wipes)
    ]
    points += [
        (float(doses.clock[d]), int(doses.order[d]) - 1, STEADY, int(d))
        for d in np.flatnonzero(doses.mask & (doses.steady > 0))
    ]
    starts = here.covariates.start
    return points + [(float(t), LAST, NOTHING, 0) for t in starts[np.isfinite(starts)]]


def _arrival_points(doses: Doses, arrivals: Arrivals) -> Points:
    """Arrivals and ends that do not move."""
    points: Points = []
    for d in map(int, np.flatnonzero(arrivals.alive)):
        clock = float(arrivals.arrival[d])
        infused = arrivals.length[d] > 0
        points.append((clock, int(doses.order[d]), NOTHING if infused else ARRIVAL, d))
        if infused:
            points.append((float(arrivals.end[d]), LAST, NOTHING, 0))
    return points


def _merge(points: Points, between: np.ndarray) -> Points:
    """Points at one time share a node unless the later one acts.

    `between` are the file orders of doses that may arrive at any time: records on
    either side of one keep nodes of their own. Nothing before the first record is kept
    (past steady-state infusions start there).
    """
    begin = next(clock for clock, order, *_ in points if order == -1)
    merged: Points = []
    for clock, order, action, dose in points:
        if clock < begin:
            continue
        if merged and merged[-1][0] == clock and action == NOTHING:
            gaps = np.searchsorted(between, (merged[-1][1], order))
            if order == LAST or gaps[0] == gaps[1]:
                continue
        merged.append((clock, order, action, dose))
    return merged


def _steady_entries(doses: Doses) -> np.ndarray:
    """Dose entries that set a steady state, [subject, record], -1 for none."""
    rows = [np.flatnonzero(s > 0) for s in np.asarray(doses.steady * doses.mask)]
    return pad(rows, max(len(r) for r in rows), -1.0, np.int32)


def insert_arrivals(mesh: Mesh, doses: Doses, arrivals: Arrivals) -> Nodes:
    """One subject's nodes with the arrivals and ends of this draw inserted.

    Sorted by time, then file order; an arrival after the last node changes nothing that
    is observed, one before the first node has no effect.
    """
    entry = jnp.arange(arrivals.arrival.shape[0], dtype=jnp.int32)
    last, first = mesh.clock[-1], mesh.clock[0]
    inside = lambda t: jnp.clip(t, first, last)  # noqa: E731
    bolus = arrivals.alive & (arrivals.length == 0) & (arrivals.arrival <= last)
    clock = jnp.concatenate(
        [mesh.clock, inside(arrivals.arrival), inside(arrivals.end)]
    )
    late = jnp.full_like(doses.order, LAST)
    order = jnp.concatenate([mesh.order, doses.order, late])
    action = jnp.concatenate(
        [mesh.action, jnp.where(bolus, ARRIVAL, NOTHING), jnp.zeros_like(entry)]
    )
    dose = jnp.concatenate([mesh.dose, entry, entry])
    place = jnp.lexsort((order, clock))
    count = jnp.arange(place.shape[0])
    rank = jnp.zeros_like(place).at[place].set(count)
    begun, ended = jnp.split(rank[mesh.clock.shape[0] :], 2)
    # By place, not by time: an interval of length zero has a derivative too.
    running = (begun <= count[:, None]) & (count[:, None] < ended)
    return Nodes(clock[place], action[place], dose[place], rank[mesh.at], running)


def fixed_nodes(mesh: Mesh, arrivals: Arrivals) -> Nodes:
    """One subject's nodes where no parameter moves an arrival."""
    middle = 0.5 * (mesh.clock[:, None] + following(mesh.clock)[:, None])
    running = (arrivals.arrival < middle) & (middle < arrivals.end)
    return Nodes(mesh.clock, mesh.action, mesh.dose, mesh.at, running)


def following(clock: Float[Array, " node"]) -> Float[Array, " node"]:
    """The clock of the next node; of the last one, its own."""
    return jnp.concatenate([clock[1:], clock[-1:]])
