"""`solve` gives a `Trajectory`, `predict` a `Prediction`: all subjects, by `vmap`.

`Trajectory` has every node of the mesh, for curves and estimands. `Prediction` has the
outputs at the observations, for the likelihood; use it where no curve is needed.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.model import AbstractModel, AbstractStatic, AnyModel, Inputs
from imak_pkpd.solve.curve import Curve, PerNode
from imak_pkpd.solve.guard import guard
from imak_pkpd.solve.look import look, output_curves, static_curves
from imak_pkpd.solve.march import March, blind, inputs_of, lost, march
from imak_pkpd.solve.mesh import Mesh
from imak_pkpd.solve.shared import batched, of_each, of_many
from imak_pkpd.solve.status import SolveStatus
from imak_pkpd.solve.stepper import AbstractStepper
from imak_pkpd.solve.subject import at_setting
from imak_pkpd.solve.window import window_areas


class Prediction(eqx.Module):
    """Outputs by name at the observations, and how each subject's solve ended.

    `areas` holds, of the outputs that were to be integrated, the integral from the row
    before of the same output (else the subject's first record) to each of its rows.
    Inside `vmap` the subject axis is absent.
    """

    outputs: Mapping[str, Float[Array, "*subject observation"]]
    status: Int[Array, "*subject"]
    when: Float[Array, "*subject"]
    areas: Mapping[str, Float[Array, "*subject observation"]] = eqx.field(
        default_factory=dict
    )


class Trajectory(eqx.Module):
    """One solve at every node: times, states around the node's action, rates, outputs.

    `time` is TIME, `clock` the same but running on where TIME restarts at a reset.

    `before` and `after` are the model's own NamedTuple with leaves [subject, node];
    `rates` holds d state/dt just after the action, `arriving` just before it. `outputs`
    are curves, as is what `curve` makes of the states.
    `integrals` accumulates the model's integrals from the first node on.
    """

    time: PerNode
    clock: PerNode
    before: Any
    after: Any
    rates: Any
    arriving: Any
    outputs: Mapping[str, Curve]
    integrals: Mapping[str, PerNode]
    status: Int[Array, "*subject"]
    when: Float[Array, "*subject"]

    def curve(self, function: Callable[[Any], PerNode]) -> Curve:
        """`function` of the state, written for scalars, over time."""
        before, arriving = jax.jvp(function, (self.before,), (self.arriving,))
        after, leaving = jax.jvp(function, (self.after,), (self.rates,))
        return Curve(self.clock, before, arriving, after, leaving)


def predict(
    model: AnyModel,
    schedule: Schedule,
    mesh: Mesh | None,
    stepper: AbstractStepper,
    integrated: Sequence[str] = (),
) -> Prediction:
    """Outputs at the observations of every subject.

    `model` has leaves [subject] or [subject, setting]; a scalar leaf is shared.
    `integrated` names outputs, never negative, whose `areas` are wanted: as exact as
    the steps of the mesh resolve them (also of a model without states).
    """
    if isinstance(model, AbstractStatic):
        return _predict_static(model, schedule, mesh, integrated)
    return _predict(model, schedule, mesh, stepper, tuple(integrated))


def solve(
    model: AbstractModel, schedule: Schedule, mesh: Mesh, stepper: AbstractStepper
) -> Trajectory:
    """The trajectory of every subject on the nodes of the mesh."""
    return _solve(model, schedule, mesh, stepper)


# Compiled, so that JAX traces a model once for all programs that solve it: an ODE's
# likelihood, gradient, certificate and simulations are a dozen of them.
@partial(jax.jit, static_argnames=("stepper", "integrated"))
def _predict(
    model: AbstractModel,
    schedule: Schedule,
    mesh: Mesh,
    stepper: AbstractStepper,
    integrated: tuple[str, ...],
) -> Prediction:
    one = lambda m, s, grid: _predict_one(m, s, grid, stepper, integrated)  # noqa: E731
    return of_many(one, model, schedule, mesh)


@partial(jax.jit, static_argnames="stepper")
def _solve(
    model: AbstractModel, schedule: Schedule, mesh: Mesh, stepper: AbstractStepper
) -> Trajectory:
    one = lambda m, s, grid: _solve_one(m, s, grid, stepper)  # noqa: E731
    return of_each(one, model, schedule, mesh)


def curves_of(
    model: AnyModel, schedule: Schedule, mesh: Mesh, stepper: AbstractStepper
) -> Mapping[str, Curve]:
    """The outputs of every subject over time, with or without states."""
    if not isinstance(model, AbstractStatic):
        return solve(model, schedule, mesh, stepper).outputs
    one = lambda m, s, grid: static_curves(m, s, grid.clock)  # noqa: E731
    return of_each(one, model, schedule, mesh)


def _predict_one(
    model: AbstractModel,
    schedule: Schedule,
    mesh: Mesh,
    stepper: AbstractStepper,
    integrated: Sequence[str],
) -> Prediction:
    guarded = jax.tree.map(guard, model)
    path = march(guarded, schedule, mesh, stepper, look if integrated else blind)
    seen = schedule.observations

    def observe(node: Array, setting: Array, time: Array, covariate: Array) -> Mapping:
        state = path.unravel(path.after[node])
        infusion = path.stops.infusion[node]
        inputs = _own_inputs(schedule, infusion, covariate)
        return at_setting(model, setting).observe(time, state, inputs)

    outputs = jax.vmap(observe)(path.at, seen.setting, seen.time, seen.covariate)
    areas = {}
    if integrated:
        curves = output_curves(path.stops.time + path.stops.shift, *path.looks)
        areas = {n: window_areas(curves[n], path.at, seen) for n in integrated}
    return Prediction(dict(outputs), path.status, path.when, areas)


def _own_inputs(schedule: Schedule, infusion: Array, covariate: Array) -> Inputs:
    """Inputs at an observation: the covariates of its own row."""
    return Inputs(
        dict(zip(schedule.dose_names, infusion, strict=True)),
        dict(zip(schedule.columns, covariate, strict=True)),
    )


def _predict_static(
    model: AbstractStatic,
    schedule: Schedule,
    mesh: Mesh | None,
    integrated: Sequence[str],
) -> Prediction:
    seen = schedule.observations

    def observe(
        one: AbstractStatic, setting: Array, time: Array, covariate: Array
    ) -> Mapping:
        inputs = Inputs({}, dict(zip(schedule.columns, covariate, strict=True)))
        return at_setting(one, setting).observe(time, inputs)

    rows = jax.vmap(observe, in_axes=(None, 0, 0, 0))
    outputs = jax.vmap(rows, in_axes=(batched(model), 0, 0, 0))(
        model, seen.setting, seen.time, seen.covariate
    )
    subjects = schedule.subjects
    return Prediction(
        dict(outputs),
        jnp.zeros(subjects, jnp.int32),
        jnp.full(subjects, jnp.inf),
        _static_areas(model, schedule, mesh, integrated) if integrated else {},
    )


def _static_areas(
    model: AbstractStatic,
    schedule: Schedule,
    mesh: Mesh | None,
    integrated: Sequence[str],
) -> Mapping[str, Array]:
    assert mesh is not None  # `event_mesh` makes one where something is integrated

    def one(own: AbstractStatic, here: Schedule, grid: Mesh) -> dict[str, Array]:
        curves = static_curves(own, here, grid.clock)
        seen = here.observations
        return {name: window_areas(curves[name], grid.at, seen) for name in integrated}

    return of_each(one, model, schedule, mesh)


def _solve_one(
    model: AbstractModel, schedule: Schedule, mesh: Mesh, stepper: AbstractStepper
) -> Trajectory:
    path = march(model, schedule, mesh, stepper, look)
    before, after = path.looks
    clock = path.stops.time + path.stops.shift
    hopeless, since = lost(path)
    hopeless &= path.status == SolveStatus.ok
    return Trajectory(
        time=path.stops.time,
        clock=clock,
        before=jax.vmap(path.unravel)(path.before),
        after=jax.vmap(path.unravel)(path.after),
        rates=after.rates,
        arriving=before.rates,
        outputs=output_curves(clock, before, after),
        integrals=_integrals(model, schedule, path, after.rates, before.rates),
        status=jnp.where(hopeless, SolveStatus.lost, path.status).astype(jnp.int32),
        when=jnp.where(hopeless, since, path.when),
    )


def _integrals(
    model: AbstractModel, schedule: Schedule, path: March, rates: Any, arriving: Any
) -> Mapping[str, Array]:
    """Integrals up to each node: Simpson's rule (positive weights) on each step.

    The middle state is that of the cubic Hermite through both ends.
    """

    def one(stop: Any, y0: Array, y1: Array, f0: Any, f1: Any) -> Mapping[str, Array]:
        here = at_setting(model, schedule.covariates.setting[stop.change])
        inputs, h = inputs_of(schedule, stop), stop.length
        slope0, slope1 = (jnp.stack(jax.tree.leaves(f)) for f in (f0, f1))
        middle = 0.5 * (y0 + y1) + h / 8 * (slope0 - slope1)
        at = lambda t, y: here.integrals(t, path.unravel(y), inputs(t))  # noqa: E731
        ends = at(stop.time, y0), at(stop.time + h / 2, middle), at(stop.time + h, y1)
        return jax.tree.map(lambda a, b, c: h / 6 * (a + 4 * b + c), *ends)

    following = lambda tree: jax.tree.map(lambda x: x[1:], tree)  # noqa: E731
    leading = lambda tree: jax.tree.map(lambda x: x[:-1], tree)  # noqa: E731
    pieces = jax.vmap(one)(
        leading(path.stops),
        path.after[:-1],
        path.before[1:],
        leading(rates),
        following(arriving),
    )
    return {
        name: jnp.concatenate([jnp.zeros(1), jnp.cumsum(piece)])
        for name, piece in pieces.items()
    }
