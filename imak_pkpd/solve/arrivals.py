"""When the doses of one draw arrive: lag, F, rate and duration applied.

A dose record gives an arrival (its time + lag) and, for an infusion, an end. F scales
the amount: with RATE > 0 or -1 the rate is kept and the duration becomes F·AMT/rate,
with RATE = -2 or DUR the duration is kept and the rate becomes F·AMT/duration.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from imak_pkpd.data.events import (
    BOLUS,
    DURATION,
    MODELLED_DURATION,
    MODELLED_RATE,
    RATE,
)
from imak_pkpd.data.schedule import Doses, Resets
from imak_pkpd.model import AbstractModel
from imak_pkpd.solve.subject import at_setting

PerDose = Float[Array, " dose"]


class DoseParameters(NamedTuple):
    """Lag, F, rate and duration per dose entry; rate and duration may be unused."""

    lag: PerDose
    F: PerDose
    rate: PerDose
    duration: PerDose


class Arrivals(NamedTuple):
    """Arrival and end (clock), bolus amount, infusion rate and length of each entry.

    `alive` is false for padding, for doses that a reset cancels, and for past
    steady-state boluses that have already acted.
    """

    arrival: PerDose
    end: PerDose
    lag: PerDose
    amount: PerDose
    rate: PerDose
    length: PerDose
    alive: Bool[Array, " dose"]


def dose_parameters(
    model: AbstractModel, doses: Doses, names: tuple[str, ...]
) -> DoseParameters:
    """The dosing parameters of each entry, from the model in the entry's setting."""

    def one(setting: Array, name: Array) -> DoseParameters:
        here = at_setting(model, setting)
        declared = [here.dosing(each) for each in names]
        return DoseParameters(
            lag=_pick([d.lag for d in declared], 0.0, name),
            F=_pick([d.F for d in declared], 1.0, name),
            rate=_pick([d.rate for d in declared], 1.0, name),
            duration=_pick([d.duration for d in declared], 1.0, name),
        )

    return jax.vmap(one)(doses.setting, doses.name)


def _pick(values: list, default: float, name: Array) -> Float[Array, ""]:
    """The value of one dose name, `default` where the model does not declare it."""
    # `or`: a model that takes no doses has padding alone
    filled = [jnp.asarray(default if v is None else v, float) for v in values or [None]]
    return jnp.stack(filled)[name]


def arrive(doses: Doses, resets: Resets, given: DoseParameters) -> Arrivals:
    """The arrivals of one subject's entries at these dosing parameters."""
    amount = doses.amount * given.F
    rate, length = _infusion(doses, given, amount)
    arrival = doses.clock + given.lag - doses.past * doses.interval
    bolus = doses.mode == BOLUS
    alive = doses.mask & _same_epoch(doses, resets, arrival)
    # A past bolus acts after its record only if the lag carried it there.
    alive &= ~(bolus & (doses.past > 0) & (arrival < doses.clock))
    return Arrivals(
        # What a past infusion gave before its record is in the steady state alone.
        arrival=jnp.where(doses.past > 0, jnp.maximum(arrival, doses.clock), arrival),
        end=arrival + length,
        lag=given.lag,
        amount=jnp.where(bolus, amount, 0.0),
        rate=rate,
        length=length,
        alive=alive,
    )


def _infusion(
    doses: Doses, given: DoseParameters, amount: PerDose
) -> tuple[PerDose, PerDose]:
    """Rate and length of each entry; zero for a bolus."""
    mode = doses.mode
    fixed_rate = (mode == RATE) | (mode == MODELLED_RATE)
    rate = jnp.where(mode == MODELLED_RATE, given.rate, doses.rate)
    rate = jnp.where(fixed_rate, rate, 1.0)
    length = jnp.where(mode == MODELLED_DURATION, given.duration, doses.duration)
    length = jnp.where(fixed_rate, amount / rate, length)
    timed = (mode == MODELLED_DURATION) | (mode == DURATION)
    rate = jnp.where(timed, amount / jnp.where(timed, length, 1.0), rate)
    infused = mode != BOLUS
    return jnp.where(infused, rate, 0.0), jnp.where(infused, length, 0.0)


def _same_epoch(doses: Doses, resets: Resets, arrival: PerDose) -> Bool[Array, " dose"]:
    """Whether no reset lies between a record and the arrival of its dose.

    A past steady-state dose belongs to the epoch that its record opens.
    """
    if resets.clock.shape[-1] == 0:
        return jnp.ones(arrival.shape, bool)
    arrival = jnp.maximum(arrival, doses.clock)
    earlier = resets.clock[None, :] < arrival[:, None]
    tie = resets.clock[None, :] == arrival[:, None]
    before = earlier | (tie & (resets.order[None, :] < doses.order[:, None]))
    return jnp.sum(before & resets.mask[None, :], -1) == doses.epoch
