"""One subject from node to node: act, then cross to the next node.

`march` is the only loop over time. A subject whose state stops being finite is frozen
there and reported; nothing raises.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.model import AbstractModel
from imak_pkpd.solve.arrivals import Arrivals, arrive, dose_parameters
from imak_pkpd.solve.mesh import (
    ARRIVAL,
    RESET,
    STEADY,
    Mesh,
    Nodes,
    fixed_nodes,
    following,
    insert_arrivals,
)
from imak_pkpd.solve.status import SolveStatus
from imak_pkpd.solve.steady_record import SteadyStates, steady_states
from imak_pkpd.solve.stepper import AbstractStepper, Crossing
from imak_pkpd.solve.subject import InputsAt, at_setting, change_at, inputs_between
from imak_pkpd.solve.tableau import Vector

HUGE = 1e250
"""A step that overshoots so far has failed, though its number is finite: slopes there
are none. Not less: killers that fight donor cells in vain multiply for a year in the
scenario without rejection, to 1e211, as the reference's do."""


LOST = 0.05
"""Embedded error of a step, as a share of the largest value of a state, beyond
which the course is not that of the model any more: steps aim at 1e-3 of it and less.
An explicit step that is too long for a fast process oscillates, then overshoots."""


class Stop(NamedTuple):
    """One node: what happens there, and the interval that follows."""

    time: Float[Array, ""]
    length: Float[Array, ""]
    amount: Float[Array, " name"]
    infusion: Float[Array, " name"]
    wipes: Array
    steady: Int[Array, ""]
    change: Int[Array, ""]
    shift: Float[Array, ""]


class Sizes(NamedTuple):
    """The largest size of each state on the way, and of its embedded error."""

    reached: Float[Array, " state"]
    error: Float[Array, " state"]

    def passed(self, before: Vector, after: Vector, error: Vector) -> "Sizes":
        """After one more node; an error that is no number counts for none."""
        here = jnp.maximum(jnp.abs(before), jnp.abs(after))
        return Sizes(
            jnp.maximum(self.reached, here), jnp.fmax(self.error, jnp.abs(error))
        )


class March(NamedTuple):
    """States before and after the action at each node, and how the solve ended.

    `error` is the embedded error of the step that follows a node; `when` the TIME of
    the first failure (inf when there is none); `looks` what was asked for about both
    states of each node.
    """

    before: Float[Array, "node state"]
    after: Float[Array, "node state"]
    error: Float[Array, "node state"]
    sizes: Sizes
    stops: Stop
    at: Int[Array, " observation"]
    status: Int[Array, ""]
    when: Float[Array, ""]
    unravel: Any
    looks: tuple[Any, Any]


Look = Callable[[Crossing, Float[Array, ""], Vector], Any]
"""What is seen of a state, from the interval that ends or begins there, on the way."""


def blind(crossing: Crossing, time: Float[Array, ""], state: Vector) -> None:
    """Sees nothing."""


def march(
    model: AbstractModel,
    schedule: Schedule,
    mesh: Mesh,
    stepper: AbstractStepper,
    look: Look = blind,
) -> March:
    """The states of one subject at its nodes (fields without the subject axis)."""
    doses, resets = schedule.doses, schedule.resets
    given = dose_parameters(model, doses, schedule.dose_names)
    arrivals = arrive(doses, resets, given)
    nodes = (
        insert_arrivals(mesh, doses, arrivals)
        if mesh.moving
        else fixed_nodes(mesh, arrivals)
    )
    stops = _stops(schedule, mesh, nodes, arrivals)
    first = jax.tree.map(lambda leaf: leaf[0], stops)
    start = at_setting(model, schedule.covariates.setting[first.change])
    initial = start.initial(inputs_of(schedule, first)(first.time))
    zero, unravel = ravel_pytree(jax.tree.map(lambda x: jnp.asarray(x, float), initial))
    steady = steady_states(model, schedule, mesh, arrivals, stepper, zero, unravel)

    def visit(carry: tuple, stop: Stop) -> tuple:
        state, seen, sizes, status, when = carry
        here = at_setting(model, schedule.covariates.setting[stop.change])
        acted = _act(here, schedule, stop, state, zero, steady, unravel)
        crossing = Crossing(here, inputs_of(schedule, stop), unravel)
        step = stepper(crossing, stop.time, acted, stop.length)
        finite = jnp.all(jnp.abs(step.state) < HUGE)  # of a NaN this is false
        problem = jnp.where(finite, step.status, SolveStatus.not_finite)
        first_failure = (status == SolveStatus.ok) & (problem != SolveStatus.ok)
        status = jnp.where(first_failure, problem, status).astype(jnp.int32)
        when = jnp.where(first_failure, stop.time, when)
        kept = jnp.where(status == SolveStatus.ok, step.state, state)
        arriving = look(crossing, stop.time + stop.length, kept)
        looks = seen, look(crossing, stop.time, acted)
        sizes = sizes.passed(state, acted, step.error)
        carry = kept, arriving, sizes, status, when
        return carry, (state, acted, step.error, looks)

    # The state before a node's action belongs to the interval that ends there; before
    # the first node there is none.
    before_all = Crossing(start, inputs_of(schedule, first), unravel)
    nothing = Sizes(jnp.zeros_like(zero), jnp.zeros_like(zero))
    initially = look(before_all, first.time, zero)
    begin = (zero, initially, nothing, steady.status, steady.when)
    (*_, sizes, status, when), (before, after, error, looks) = jax.lax.scan(
        jax.checkpoint(visit, prevent_cse=False), begin, stops
    )
    return March(
        before, after, error, sizes, stops, nodes.at, status, when, unravel, looks
    )


def lost(path: March) -> tuple[Array, Array]:
    """Whether a step of a solved subject was hopeless, and the time of the first.

    Where nobody asks for a whole course the likelihood is watched by the certificate.
    """
    most = LOST * path.sizes.reached
    first = jnp.argmax(jnp.any(jnp.abs(path.error) > most, axis=-1))
    return jnp.any(path.sizes.error > most), path.stops.time[first]


def _stops(schedule: Schedule, mesh: Mesh, nodes: Nodes, arrivals: Arrivals) -> Stop:
    """What each node does, from the arrivals of this draw."""
    clock = nodes.clock
    after = following(clock)
    middle = 0.5 * (clock + after)
    epoch = epoch_at(schedule, middle)
    names = jnp.arange(len(schedule.dose_names))
    bolus = (nodes.action == ARRIVAL) & arrivals.alive[nodes.dose]
    amount = jnp.where(bolus, arrivals.amount[nodes.dose], 0.0)
    which = schedule.doses.name[nodes.dose][:, None] == names
    shift = schedule.resets.shift[epoch]
    return Stop(
        time=clock - shift,
        length=after - clock,
        amount=jnp.where(which, amount[:, None], 0.0),
        infusion=_infusion(schedule, nodes, arrivals, epoch, names),
        wipes=nodes.action == RESET,
        steady=_steady_place(mesh, nodes),
        change=change_at(schedule.covariates, middle),
        shift=shift,
    )


def epoch_at(schedule: Schedule, middle: Float[Array, " node"]) -> Int[Array, " node"]:
    """How many resets lie before the interval that follows each node."""
    if not schedule.has_resets:
        return jnp.zeros(middle.shape, jnp.int32)
    earlier = schedule.resets.clock[None, :] <= middle[:, None]
    return jnp.sum(earlier & schedule.resets.mask[None, :], -1)


def _infusion(
    schedule: Schedule, nodes: Nodes, arrivals: Arrivals, epoch: Array, names: Array
) -> Float[Array, "node name"]:
    """The rate of each dose name in the interval that follows each node."""
    if not schedule.has_infusions:
        return jnp.zeros((epoch.shape[0], names.shape[0]))
    doses = schedule.doses
    running = nodes.running & doses.mask & (doses.epoch == epoch[:, None])
    rate = jnp.where(running, arrivals.rate, 0.0)
    return rate @ (doses.name[:, None] == names).astype(rate.dtype)


def _steady_place(mesh: Mesh, nodes: Nodes) -> Int[Array, " node"]:
    """Which steady-state record is set at each node, -1 for none."""
    if mesh.steady.shape[-1] == 0:
        return jnp.full(nodes.clock.shape, -1)
    place = jnp.argmax(mesh.steady[None, :] == nodes.dose[:, None], -1)
    return jnp.where(nodes.action == STEADY, place, -1)


def inputs_of(schedule: Schedule, stop: Stop) -> InputsAt:
    """The inputs in the interval that follows a node."""
    infusion = dict(zip(schedule.dose_names, stop.infusion, strict=True))
    return inputs_between(
        schedule.covariates,
        schedule.columns,
        schedule.linear,
        stop.change,
        stop.shift,
        infusion,
    )


def _act(
    here: AbstractModel,
    schedule: Schedule,
    stop: Stop,
    state: Vector,
    initial: Vector,
    steady: SteadyStates,
    unravel: Any,
) -> Vector:
    """The state after the node's action; exactly one of the three happens."""
    acted = state
    for index, name in enumerate(schedule.dose_names):
        amount = stop.amount[index]
        dosed, _ = ravel_pytree(here.dose(unravel(acted), name, amount))
        acted = jnp.where(amount != 0, dosed, acted)
    if schedule.has_resets:
        acted = jnp.where(stop.wipes, initial, acted)
    if schedule.has_steady:
        # SS = 1 replaces the state, SS = 2 adds to it.
        value = steady.state[stop.steady]
        value = jnp.where(steady.replaces[stop.steady], value, state + value)
        acted = jnp.where(stop.steady >= 0, value, acted)
    return acted
