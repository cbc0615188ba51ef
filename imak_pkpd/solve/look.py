"""What the model says at the nodes of one subject, on both sides of what happens there.

`look` looks at a state on the way, `output_curves` joins what it saw to curves;
`static_curves` are those of a model that needs no solve.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.model import AbstractStatic
from imak_pkpd.solve.curve import Curve
from imak_pkpd.solve.march import epoch_at
from imak_pkpd.solve.mesh import following
from imak_pkpd.solve.stepper import Crossing
from imak_pkpd.solve.subject import at_setting, change_at, inputs_between
from imak_pkpd.solve.tableau import Vector

PerNode = Float[Array, " node"]


class Look(NamedTuple):
    """The rates of a state, the outputs and how fast they change."""

    rates: Any
    outputs: Mapping[str, Array]
    slopes: Mapping[str, Array]


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


def look(crossing: Crossing, time: Float[Array, ""], y: Vector) -> Look:
    """What the model says of the state at a TIME, as it moves in this interval."""
    slope = crossing.field(time, y)

    def seen(t: Array, x: Array) -> dict[str, Array]:
        return dict(crossing.model.observe(t, crossing.unravel(x), crossing.inputs(t)))

    outputs, slopes = jax.jvp(seen, (time, y), (jnp.ones_like(time), slope))
    return Look(crossing.unravel(slope), outputs, slopes)


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
