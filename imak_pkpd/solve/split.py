"""`Split`: one long step of a model that says how it falls into three parts.

Drugs are linear in themselves and read nothing else: they are propagated in closed form
to every stage, which removes the fastest eigenvalues (`AbstractModel.forcing`). The
body crosses by one Runge-Kutta step, populations as logarithms (`logarithms`), others
as their distance from what steady gains and losses would make of them (`losses`; a
generalised Lawson method: Krogstad 2005, J Comput Phys 203:72), which removes their
decay. What no other state reads comes last (`follow`), by quarters of the step.

For simulation on a mesh of its own: `Explicit` takes the same model in one piece.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imak_pkpd.model import AbstractModel
from imak_pkpd.solve.curve import Segments, inside
from imak_pkpd.solve.stepper import OK, TSIT5, AbstractStepper, Crossing, Step, Time
from imak_pkpd.solve.tableau import Field, Fields, Vector, explicit_step

TINY = 1e-140
"""The smallest population with a logarithm: nothing stays nothing. Its square, which a
derivative divides by, is still a float64."""

PIECES = (0.25, 0.5, 0.75, 1.0)
"""Ends of the parts of a step over which states follow."""

Scalar = Float[Array, ""]
Values = Mapping[str, Scalar]


class Parts(NamedTuple):
    """Names of the states of each part, in the order of the state.

    `losses` and `gains` are those at the start of the step: x' = gain - loss x but for
    what changes within it.
    """

    forced: tuple[tuple[str, ...], ...]
    body: tuple[str, ...]
    logs: frozenset[str]
    losses: Mapping[str, Scalar]
    gains: Mapping[str, Scalar]
    following: frozenset[str]


class Split(AbstractStepper):
    """Closed forms, one Runge-Kutta step, then what follows from both ends."""

    solver: Any = eqx.field(static=True, default_factory=diffrax.Tsit5)
    steps = TSIT5

    def __call__(self, crossing: Crossing, t: Time, y: Vector, h: Time) -> Step:
        # Nothing is computed beyond the last step where all subjects share theirs.
        return jax.lax.cond(
            h > 0,
            lambda: self._crossed(crossing, t, y, h),
            lambda: Step(y, jnp.zeros_like(y), OK()),
        )

    def _crossed(self, crossing: Crossing, t: Time, y: Vector, h: Time) -> Step:
        start = crossing.unravel(y)
        rates = crossing.model.rates(t, start, crossing.inputs(t))
        parts = parts_of(crossing.model, start, rates)
        drugs = _drugs(crossing, t, start, parts)
        fields = _fields(crossing, t, start, parts, drugs)
        first = _packed(start, parts)
        slope = _slope(start, rates, parts, jnp.zeros_like(h))
        moved = explicit_step(self.solver.tableau, fields, t, first, h, slope)
        path = Segments(t, h, first, slope, moved.state, moved.slopes[-1])

        def state_at(part: float) -> Any:
            at_end = part == PIECES[-1]
            body = moved.state if at_end else inside(path, jnp.asarray(part))
            dt = part * h
            return start._replace(**_unpacked(body, start, parts, dt), **drugs(dt))

        # In between only what follows asks for: the end is enough without.
        parts_of_step = PIECES if parts.following else PIECES[-1:]
        states = [start, *(state_at(part) for part in parts_of_step)]
        state = _followed(crossing.model, parts.following, states, h)
        natural = start._replace(
            **{name: jnp.zeros_like(h) for name in start._fields}
        )._replace(**_natural_error(moved.error, state, parts, h))
        poured = _poured(crossing, t, start, parts)
        return Step(
            jnp.where(poured, jnp.nan, _stacked(state)), _stacked(natural), OK()
        )

    def moving(self, crossing: Crossing, t: Time, y: Vector) -> tuple[Field, Vector]:
        start = crossing.unravel(y)
        rates = crossing.model.rates(t, start, crossing.inputs(t))
        parts = parts_of(crossing.model, start, rates)
        drugs = _drugs(crossing, t, start, parts)
        fields = _fields(crossing, t, start, parts, drugs)
        return lambda at, u: fields(at[None])[0](u), _packed(start, parts)


def declares_parts(model: type[AbstractModel]) -> bool:
    """Whether a model says anything of what makes long steps."""
    return bool(model.forcing or model.logarithms) or any(
        getattr(model, name) is not getattr(AbstractModel, name)
        for name in ("losses", "follow")
    )


def parts_of(model: Any, start: Any, rates: Any) -> Parts:
    """The parts that the model declares, checked against its states.

    `rates` are those at the start.
    """
    forced, logs = type(model).forcing, frozenset(type(model).logarithms)
    # only the names are used; nothing of it is computed
    following = frozenset(jax.eval_shape(model.follow, start, start, jnp.zeros(())))
    losses = model.losses(start)
    apart = frozenset(name for group in forced for name in group) | following
    strangers = sorted((apart | logs | set(losses)) - set(start._fields))
    if strangers:
        raise ValueError(
            f"{type(model).__name__}: forcing, logarithms, losses and follow name "
            f"{', '.join(strangers)}: the states are {', '.join(start._fields)}"
        )
    body = tuple(name for name in start._fields if name not in apart)
    gains = {
        name: getattr(rates, name) + loss * getattr(start, name)
        for name, loss in losses.items()
    }
    return Parts(forced, body, logs, losses, gains, following)


def _poured(crossing: Crossing, t: Time, start: Any, parts: Parts) -> Array:
    """Whether an infusion feeds a population: it has no logarithm to start from.

    The state is then NaN, which is a status; such a schedule needs `Explicit`.
    """
    inputs = crossing.inputs(t)

    def rates(infusion: Any) -> list[Scalar]:
        found = crossing.model.rates(t, start, inputs._replace(infusion=infusion))
        return [jnp.asarray(getattr(found, name), float) for name in parts.logs]

    _, fed = jax.jvp(rates, (inputs.infusion,), (inputs.infusion,))
    return jnp.any(jnp.stack(fed) != 0) if fed else jnp.asarray(False)


def _packed(state: Any, parts: Parts) -> Vector:
    """The body, populations as logarithms."""
    values = (getattr(state, name) for name in parts.body)
    return jnp.stack(
        [
            jnp.log(jnp.maximum(value, TINY)) if name in parts.logs else value
            for name, value in zip(parts.body, values, strict=True)
        ]
    )


def _unpacked(u: Vector, start: Any, parts: Parts, dt: Time) -> dict[str, Scalar]:
    """The body by name, `dt` after the start; a population that died out is nothing."""

    def natural(name: str, value: Scalar) -> Scalar:
        if name in parts.logs:
            return jnp.where(getattr(start, name) > TINY, jnp.exp(value), 0.0)
        if name in parts.losses:
            loss = parts.losses[name]
            return value * jnp.exp(-loss * dt) + parts.gains[name] * _filled(loss, dt)
        return value

    return {n: natural(n, value) for n, value in zip(parts.body, u, strict=True)}


def _filled(loss: Scalar, dt: Time) -> Scalar:
    """(1 - e^(-loss dt))/loss: what a gain of 1 amounts to; the loss may be 0."""
    x = loss * dt
    some = jnp.abs(x) > 1e-8  # below it 1 - x/2 is right to 1e-17
    return dt * jnp.where(some, -jnp.expm1(-x) / jnp.where(some, x, 1.0), 1.0 - x / 2)


def _fields(
    crossing: Crossing, t: Time, start: Any, parts: Parts, drugs: Any
) -> Fields:
    """d/dt of the packed body at each of some times, with the drugs of that time.

    The drugs of all of them are computed together: one loop over all exponentials.
    """

    def fields(times: Float[Array, " time"]) -> list[Callable[[Vector], Vector]]:
        passed = times - t
        there = jax.vmap(drugs)(passed)

        def field(stage: int, u: Vector) -> Vector:
            dt, drug = passed[stage], jax.tree.map(itemgetter(stage), there)
            state = start._replace(**_unpacked(u, start, parts, dt), **drug)
            rates = crossing.model.rates(
                times[stage], state, crossing.inputs(times[stage])
            )
            return _slope(state, rates, parts, dt)

        return [partial(field, stage) for stage in range(len(times))]

    return fields


def _slope(state: Any, rates: Any, parts: Parts, dt: Time) -> Vector:
    """d/dt of the packed body, `dt` after the start."""
    return jnp.stack(
        [
            _moved(name, getattr(rates, name), getattr(state, name), parts, dt)
            for name in parts.body
        ]
    )


def _moved(name: str, rate: Scalar, value: Scalar, parts: Parts, dt: Time) -> Scalar:
    """The rate of one state of the body as it is stepped."""
    if name in parts.logs:
        return jnp.where(value > TINY, rate / jnp.maximum(value, TINY), 0.0)
    if name in parts.losses:
        loss = parts.losses[name]
        return jnp.exp(loss * dt) * (rate + loss * value - parts.gains[name])
    return rate


def _followed(model: Any, following: frozenset[str], states: list[Any], h: Time) -> Any:
    """The last of `states`, evenly spread over h, with what follows from all of them.

    A peak inside of a long step is seen; nothing else is computed at those in between.
    """
    state = states[0]
    for after in states[1:]:
        there = after._replace(**{name: getattr(state, name) for name in following})
        state = there._replace(**model.follow(state, there, h / (len(states) - 1)))
    return state


def _natural_error(
    error: Vector, there: Any, parts: Parts, h: Time
) -> dict[str, Scalar]:
    """The embedded error in the units of the states."""

    def natural(name: str, each: Scalar) -> Scalar:
        if name in parts.logs:
            return each * getattr(there, name)
        if name in parts.losses:
            return each * jnp.exp(-parts.losses[name] * h)
        return each

    return {n: natural(n, each) for n, each in zip(parts.body, error, strict=True)}


def _drugs(crossing: Crossing, t: Time, start: Any, parts: Parts) -> Any:
    """The forced states as a function of the time since `t`."""
    flows = [_group(crossing, t, start, group) for group in parts.forced]

    def drugs(dt: Time) -> dict[str, Scalar]:
        found: dict[str, Scalar] = {}
        for flow in flows:
            found |= flow(dt)
        return found

    return drugs


def _group(crossing: Crossing, t: Time, start: Any, names: tuple[str, ...]) -> Any:
    """x(dt) = x* + e^(K dt) (x(0) - x*), x* the rest under the current infusion."""
    inputs = crossing.inputs(t)

    def rates(*values: Scalar) -> tuple[Scalar, ...]:
        state = start._replace(**dict(zip(names, values, strict=True)))
        found = crossing.model.rates(t, state, inputs)
        return tuple(getattr(found, name) for name in names)

    zero = tuple(jnp.zeros_like(t) for _ in names)
    K, fed = jax.jacfwd(rates, argnums=tuple(range(len(names))))(*zero), rates(*zero)
    here = [getattr(start, name) for name in names]
    rest = _rest(K, fed)
    away = [x - r for x, r in zip(here, rest, strict=True)]
    apart = (_one, _two, _fed)[len(names) - 1](K, away)

    def flow(dt: Time) -> dict[str, Scalar]:
        moved = zip(names, apart(dt), rest, strict=True)
        return {name: gone + r for name, gone, r in moved}

    return flow


def _rest(K: Any, fed: tuple[Scalar, ...]) -> list[Scalar]:
    """-K^-1 b, and 0 where nothing is infused; infinite where nothing is eliminated."""
    if len(fed) == 1:
        found = [-fed[0] / K[0][0]]
    elif len(fed) == 2:
        found = _rest_of_two(K, fed)
    else:
        first = -fed[0] / K[0][0]
        into = [rate + row[0] * first for rate, row in zip(fed[1:], K[1:], strict=True)]
        found = [first, *_rest_of_two([row[1:] for row in K[1:]], into)]
    return [jnp.where(sum(map(abs, fed)) == 0, 0.0, x) for x in found]


def _rest_of_two(K: Any, fed: Sequence[Scalar]) -> list[Scalar]:
    determinant = K[0][0] * K[1][1] - K[0][1] * K[1][0]
    return [
        (K[0][1] * fed[1] - K[1][1] * fed[0]) / determinant,
        (K[1][0] * fed[0] - K[0][0] * fed[1]) / determinant,
    ]


def _one(K: Any, x: list[Scalar]) -> Any:
    return lambda dt: [x[0] * jnp.exp(K[0][0] * dt)]


def _two(K: Any, x: list[Scalar]) -> Any:
    """e^(K dt) x = e^(m dt) (cosh(s dt) I + sinh(s dt)/s (K - m I)) x."""
    m, s = _centre(K)
    turned = _turned(K, m, x)

    def at(dt: Time) -> list[Scalar]:
        slow, fast = jnp.exp((m + s) * dt), jnp.exp((m - s) * dt)
        mean, shape = 0.5 * (slow + fast), (slow - fast) / (2 * s)
        return [
            mean * each + shape * turn for each, turn in zip(x, turned, strict=True)
        ]

    return at


def _fed(K: Any, x: list[Scalar]) -> Any:
    """Two states and a first that feeds them and reads neither.

    They have e^(L dt) y + f(L) v more than without it, where L is their matrix, v what
    they get of the first, a its rate and f(z) = (e^(a dt) - e^(z dt)) / (a - z).
    """
    a, L = K[0][0], [row[1:] for row in K[1:]]
    alone, (m, s) = _two(L, x[1:]), _centre(L)
    v = [row[0] * x[0] for row in K[1:]]
    turned = _turned(L, m, v)

    def at(dt: Time) -> list[Scalar]:
        first = jnp.exp(a * dt)
        slow, fast = _between(a, m + s, first, dt), _between(a, m - s, first, dt)
        mean, shape = 0.5 * (slow + fast), (slow - fast) / (2 * s)
        two = zip(alone(dt), v, turned, strict=True)
        return [x[0] * first, *(y + mean * w + shape * turn for y, w, turn in two)]

    return at


def _centre(K: Any) -> tuple[Scalar, Scalar]:
    """The mean of the two eigenvalues, and half their distance.

    Both are real wherever amounts flow between compartments. What is made of the
    distance is even in it: moved in its square by 1e-12 of that of the rates it changes
    nothing by more than 1e-12 of their number in the interval, and is never 0.
    """
    rates = sum(abs(each) for row in K for each in row)
    square = 0.25 * (K[0][0] - K[1][1]) ** 2 + K[0][1] * K[1][0]
    return 0.5 * (K[0][0] + K[1][1]), jnp.sqrt(
        jnp.maximum(square, 0.0) + (1e-6 * rates) ** 2 + 1e-200
    )


def _turned(K: Any, m: Scalar, x: list[Scalar]) -> list[Scalar]:
    """(K - m I) x."""
    return [
        (K[0][0] - m) * x[0] + K[0][1] * x[1],
        K[1][0] * x[0] + (K[1][1] - m) * x[1],
    ]


def _between(a: Scalar, b: Scalar, ea: Scalar, dt: Time) -> Scalar:
    """(e^(a dt) - e^(b dt)) / (a - b), where ea = e^(a dt)."""
    eb, z = jnp.exp(b * dt), (a - b) * dt
    near = jnp.abs(z) < 0.02  # there the series is right to z^6/7! = 1e-14
    series = 1 + z / 2 * (1 + z / 3 * (1 + z / 4 * (1 + z / 5 * (1 + z / 6))))
    return jnp.where(near, dt * eb * series, (ea - eb) / jnp.where(near, 1.0, a - b))


def _stacked(state: Any) -> Vector:
    return jnp.stack([jnp.asarray(x, float) for x in state])
