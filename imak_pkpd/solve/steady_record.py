"""The steady states that a subject's records ask for, computed before the march.

They depend on parameters, covariates and the record alone, never on the present state.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int

from imak_pkpd.data.events import BOLUS
from imak_pkpd.data.schedule import Schedule
from imak_pkpd.model import AbstractModel
from imak_pkpd.solve.arrivals import Arrivals
from imak_pkpd.solve.mesh import Mesh
from imak_pkpd.solve.status import SolveStatus
from imak_pkpd.solve.steady import Regimen, periodic_state, root
from imak_pkpd.solve.stepper import AbstractStepper, Crossing
from imak_pkpd.solve.subject import at_setting, change_at, inputs_between
from imak_pkpd.solve.tableau import Vector


class SteadyStates(NamedTuple):
    """State per record, and whether it replaces (SS = 1) or adds.

    `status` is that of the first record that has none, `when` its TIME (inf: all have).
    """

    state: Float[Array, "record state"]
    replaces: Bool[Array, " record"]
    status: Int[Array, ""]
    when: Float[Array, ""]


def steady_states(
    model: AbstractModel,
    schedule: Schedule,
    mesh: Mesh,
    arrivals: Arrivals,
    stepper: AbstractStepper,
    initial: Vector,
    unravel: Any,
) -> SteadyStates:
    """The steady states of one subject; empty when no record asks for one."""
    if mesh.steady.shape[-1] == 0:
        empty = jnp.zeros((0, initial.shape[0]))
        fine = jnp.asarray(SolveStatus.ok, jnp.int32)
        return SteadyStates(empty, jnp.zeros(0, bool), fine, jnp.asarray(jnp.inf))
    pieces = 1 if stepper.steps is None else mesh.steady_steps

    def one(entry: Int[Array, ""]) -> tuple[Vector, Int[Array, ""], Array]:
        record = _Record(
            model, schedule, arrivals, entry, stepper.both_ways(), pieces, unravel
        )
        return *record.solve(initial), record.time

    state, status, time = jax.vmap(one)(mesh.steady)
    replaces = schedule.doses.steady[mesh.steady] == 1
    failed = (mesh.steady >= 0) & (status != SolveStatus.ok)
    when = jnp.where(failed, time, jnp.inf)
    first = jnp.argmin(when)
    reason = jnp.where(failed[first], status[first], SolveStatus.ok)
    return SteadyStates(state, replaces, reason.astype(jnp.int32), when[first])


class _Record(NamedTuple):
    """One steady-state record at this draw."""

    model: AbstractModel
    schedule: Schedule
    arrivals: Arrivals
    entry: Int[Array, ""]
    stepper: AbstractStepper
    pieces: int
    unravel: Any

    def solve(self, initial: Vector) -> tuple[Vector, Int[Array, ""]]:
        """State at the record's time, before its own dose, and the status."""
        interval = self.schedule.doses.interval[self.entry]
        periodic = interval > 0
        regimen = Regimen(
            jnp.where(periodic, interval, 1.0),
            self.arrivals.lag[self.entry],
            self.arrivals.rate[self.entry],
            jnp.where(periodic, self.arrivals.length[self.entry], 0.0),
        )
        state, found = periodic_state(
            initial, self._bolus, self._flow, regimen, self.stepper.resolution
        )
        still, rest = self._constant(initial)
        found = jnp.where(periodic, found, rest)
        status = jnp.where(found, SolveStatus.ok, SolveStatus.no_steady_state)
        beyond = periodic & self._beyond_what_is_kept(regimen)
        status = jnp.where(beyond, SolveStatus.past_doses, status)
        return jnp.where(periodic, state, still), status.astype(jnp.int32)

    @property
    def _shift(self) -> Float[Array, ""]:
        """Clock - TIME at the record."""
        return self.schedule.resets.shift[self.schedule.doses.epoch[self.entry]]

    @property
    def time(self) -> Float[Array, ""]:
        """TIME of the record, where the periods of the map begin."""
        return self.schedule.doses.clock[self.entry] - self._shift

    def _crossing(self, rate: Float[Array, ""]) -> Crossing:
        """The model of the record's setting under this infusion rate."""
        s = self.schedule
        name = s.doses.name[self.entry]
        infusion = {
            each: jnp.where(name == i, rate, 0.0) for i, each in enumerate(s.dose_names)
        }
        change = change_at(s.covariates, s.doses.clock[self.entry])
        here = at_setting(self.model, s.doses.setting[self.entry])
        inputs = inputs_between(
            s.covariates, s.columns, s.linear, change, self._shift, infusion
        )
        return Crossing(here, inputs, self.unravel)

    def _bolus(self, y: Vector) -> Vector:
        doses = self.schedule.doses
        given = doses.mode[self.entry] == BOLUS
        amount = jnp.where(given, self.arrivals.amount[self.entry], 0.0)
        model = at_setting(self.model, doses.setting[self.entry])
        for i, name in enumerate(self.schedule.dose_names):
            dosed, _ = ravel_pytree(model.dose(self.unravel(y), name, amount))
            y = jnp.where((doses.name[self.entry] == i) & given, dosed, y)
        return y

    def _flow(
        self, y: Vector, rate: Float[Array, ""], duration: Float[Array, ""]
    ) -> Vector:
        crossing, h = self._crossing(rate), duration / self.pieces
        t = self.time

        def step(state: Vector, index: Int[Array, ""]) -> tuple[Vector, None]:
            return self.stepper(crossing, t + index * h, state, h).state, None

        return jax.lax.scan(step, y, jnp.arange(self.pieces))[0]

    def _constant(self, initial: Vector) -> tuple[Vector, Bool[Array, ""]]:
        """The root of the rates under a constant infusion (AMT = 0, II = 0)."""
        crossing = self._crossing(self.arrivals.rate[self.entry])
        t = self.time
        moving = crossing.field(t, initial)
        return root(lambda y: crossing.field(t, y), initial, moving)

    def _beyond_what_is_kept(self, regimen: Regimen) -> Bool[Array, ""]:
        """Whether a past dose that still acts is not among the entries."""
        doses = self.schedule.doses
        same = doses.mask & (doses.order == doses.order[self.entry])
        kept = jnp.max(jnp.where(same, doses.past, 0))
        return regimen.lag + regimen.length >= (kept + 1) * regimen.interval * (
            1 + 1e-12  # a length of exactly this many intervals is kept
        )
