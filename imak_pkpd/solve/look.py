"""What the model says at the nodes of one subject, on both sides of what happens there.

`both_sides` looks at a solved path, `output_curves` joins what it saw to curves;
`static_curves` are those of a model that needs no solve.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.model import AbstractModel, AbstractStatic
from imak_pkpd.solve.curve import Curve
from imak_pkpd.solve.march import March, Stop, epoch_at, inputs_of
from imak_pkpd.solve.mesh import following
from imak_pkpd.solve.subject import at_setting, change_at, inputs_between

PerNode = Float[Array, " node"]


class Look(NamedTuple):
    """State, its rates, the outputs and how fast they change, leaves [node]."""

    state: Any
    rates: Any
    outputs: Mapping[str, Array]
    slopes: Mapping[str, Array]


def both_sides(
    model: AbstractModel, schedule: Schedule, path: March
) -> tuple[Look, Look]:
    """All nodes just before, and just after, what happens there."""
    look = jax.vmap(lambda stop, y: _look(model, schedule, path, stop, y))
    # The state before a node's action belongs to the interval that ends there.
    ending = jax.tree.map(lambda x: jnp.concatenate([x[:1], x[:-1]]), path.stops)
    ending = ending._replace(time=path.stops.time)
    return look(ending, path.before), look(path.stops, path.after)


def output_curves(clock: PerNode, before: Look, after: Look) -> dict[str, Curve]:
    """The outputs by name over the subject's clock."""
    return {
        name: Curve(
            clock,
            before.outputs[name],
            before.slopes[name],
            after.outputs[name],
            after.slopes[name],
        )
        for name in after.outputs
    }


def _look(
    model: AbstractModel, schedule: Schedule, path: March, stop: Stop, y: Array
) -> Look:
    here = at_setting(model, schedule.covariates.setting[stop.change])
    inputs = inputs_of(schedule, stop)
    state = path.unravel(y)
    rates = here.rates(stop.time, state, inputs(stop.time))

    def seen(t: Array, x: Array) -> dict[str, Array]:
        return dict(here.observe(t, path.unravel(x), inputs(t)))

    moving = (jnp.ones_like(stop.time), ravel_pytree(rates)[0])
    outputs, slopes = jax.jvp(seen, (stop.time, y), moving)
    return Look(state, rates, outputs, slopes)


def static_curves(
    model: AbstractStatic, schedule: Schedule, clock: PerNode
) -> dict[str, Curve]:
    """The outputs of a model without states, under the covariates of each interval."""
    middle = 0.5 * (clock + following(clock))
    change = change_at(schedule.covariates, middle)
    shift = schedule.resets.shift[epoch_at(schedule, middle)]

    def look(at: Array, change: Array, shift: Array) -> tuple[Any, Any]:
        here = at_setting(model, schedule.covariates.setting[change])
        inputs = inputs_between(
            schedule.covariates, schedule.columns, schedule.linear, change, shift, {}
        )
        seen = lambda t: dict(here.observe(t, inputs(t)))  # noqa: E731
        return jax.jvp(seen, (at - shift,), (jnp.ones_like(at),))

    ending = lambda x: jnp.concatenate([x[:1], x[:-1]])  # noqa: E731
    after, leaving = jax.vmap(look)(clock, change, shift)
    before, arriving = jax.vmap(look)(clock, ending(change), ending(shift))
    return {
        name: Curve(clock, before[name], arriving[name], after[name], leaving[name])
        for name in after
    }
