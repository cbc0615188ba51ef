"""The best-written diffrax: `lax.scan` over the segments between doses.

The peers' model with its solve replaced by one of ours: a dose is added to the state
between two segments, each of which is solved to the times of its own observations.
`matched` finds the tolerance at which it is as accurate as our mesh.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from measure import time_gradient
from naive import TIGHT, Point, Potential, peer_module, peer_point, posterior, rise
from problems import FRIBERG, IMAK_5, BenchProblem
from start import start_values

from imak_pkpd.model import Inputs
from imak_pkpd.model.load import load_model

HERE = Path(__file__).parent
HALVINGS = 7  # of the range of log tolerance: it is then known to a tenth
TOLERANCES = (1e-8, 1e-3)
STEPS = 256  # at most in one segment: more would cost the adjoint memory and time
LONGER = 8  # times as many of friberg: absorption bounds its steps for three weeks
TIGHT_STEPS = 4096

Field = Callable[[Any, jax.Array, Any], jax.Array]


class Course(NamedTuple):
    """What all subjects have in common: the field of their states, the times between
    which segments lie, the most observations in one of these, and steps at the most."""

    field: Field
    edges: np.ndarray
    width: int
    steps: int


def segments(
    peers: Path, problem: BenchProblem, file: Path, error: float, repeats: int
) -> dict[str, Any]:
    """Timing at the tolerance whose error on the stored draws is that of our mesh."""
    models, draws = peer_module(peers), stored_draws(file)
    exact = values(posterior(with_segments(models, TIGHT_STEPS), problem), draws)(TIGHT)
    potential = posterior(with_segments(models, STEPS), problem)
    tolerance, reached = matched(values(potential, draws), exact, error)
    if not np.isfinite(reached):
        return {"missing": "failed (a draw needs more steps than a segment may have)"}
    start = start_values(problem)
    timing = time_gradient(
        partial(potential, tolerance=tolerance), peer_point(start), repeats=repeats
    )
    found = {"tolerance": tolerance, "error": reached}
    return {**timing._asdict(), **found, "rise": rise(potential, start, tolerance)}


def values(potential: Potential, draws: Point) -> Callable[[float], np.ndarray]:
    """The potential at the draws, as a function of the tolerance."""
    run = jax.jit(lambda at: jax.lax.map(lambda draw: potential(draw, at), draws))
    return lambda tolerance: np.asarray(run(tolerance))


def matched(
    solved: Callable[[float], np.ndarray], exact: np.ndarray, error: float
) -> tuple[float, float]:
    """The loosest tolerance whose error is no larger than `error`, and its error."""
    low, high = np.log(TOLERANCES)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if spread(solved(np.exp(middle)), exact) <= error:
            low = middle
        else:
            high = middle
    return float(np.exp(low)), spread(solved(np.exp(low)), exact)


def spread(found: np.ndarray, exact: np.ndarray) -> float:
    """The certificate's error: the 99th percentile of what a constant does not remove;
    infinite where a draw is not solved."""
    delta = found - exact
    if not np.isfinite(delta).all():
        return np.inf
    return float(np.quantile(np.abs(delta - np.median(delta)), 0.99))


def stored_draws(file: Path) -> Point:
    """The draws near the mode, in the peers' unconstrained coordinates."""
    with np.load(file) as arrays:
        draws = {
            name: jnp.asarray(arrays[f"draw_{name}"]) for name in ("mu", "om", "z")
        }
        return draws | {"sg": jnp.asarray(arrays["draw_residual"])}


def with_segments(models: ModuleType, steps: int) -> ModuleType:
    """The peers' models with our solves in place of theirs."""
    given = models.C
    imak = Course(field_of(IMAK_5), np.append(given.IL2_TIMES, given.B2_END), 7, steps)
    friberg = Course(
        field_of(FRIBERG),
        np.append(given.B3_DOSES, given.B3_END),
        15,
        LONGER * steps,
    )

    def imak_solve(
        th: Any, A0: Any, T0: Any, IL: Any, t: Any, _: Any, __: Any, rtol: Any, ___: Any
    ) -> tuple[jax.Array, int]:
        zero = 0.0 * A0
        state = jnp.stack([A0, zero, given.H0 + zero, T0, zero])
        dose = jnp.stack([zero, zero, zero, zero, IL])
        return segmented(imak, th, state, dose, t, rtol)[:, 1:4], 0

    def friberg_solve(
        th: Any, t: Any, _: Any, __: Any, rtol: Any, ___: Any
    ) -> tuple[jax.Array, int]:
        state = jnp.concatenate([jnp.zeros(3), jnp.full(5, th[6])])
        dose = jnp.zeros(8).at[0].set(given.B3_AMT)
        found = segmented(friberg, th, state, dose, t, rtol)
        return jnp.stack([found[:, 1] / th[2], found[:, 7]], -1), 0

    models.b2_solve, models.b3_solve = imak_solve, friberg_solve
    return models


def field_of(problem: BenchProblem) -> Field:
    """The rates of our model file, on a stacked state."""
    model: Any = load_model(HERE / problem.name / f"{problem.name}.py")
    states = model(**dict.fromkeys(problem.medians, jnp.ones(()))).initial(
        Inputs({}, {"T0": jnp.ones(())})
    )
    form, nothing = type(states), Inputs({}, {})

    def field(t: Any, y: jax.Array, parameters: jax.Array) -> jax.Array:
        here = model(**dict(zip(problem.medians, parameters, strict=True)))
        return jnp.stack(here.rates(t, form(*y), nothing))

    return field


def segmented(
    course: Course,
    parameters: jax.Array,
    state: jax.Array,
    dose: jax.Array,
    seen: jax.Array,
    tolerance: Any,
) -> jax.Array:
    """States [observation, state] of one subject at the sorted times `seen`.

    `dose` is added to the state where a segment begins.
    """
    edges = jnp.asarray(course.edges)
    padded = jnp.append(seen, jnp.full(course.width, edges[-1]))
    first = jnp.searchsorted(seen, edges[:-1], side="right")

    def cross(carry: jax.Array, part: tuple) -> tuple[jax.Array, jax.Array]:
        begin, end, place = part
        own = jax.lax.dynamic_slice(padded, (place,), (course.width,))
        times = jnp.append(jnp.clip(own, begin, end), end)
        found = solved(course, parameters, carry + dose, begin, times, tolerance)
        return found[-1], found[:-1]

    _, found = jax.lax.scan(cross, state, (edges[:-1], edges[1:], first))
    segment = jnp.searchsorted(edges[1:-1], seen)
    return found[segment, jnp.arange(len(seen)) - first[segment]]


def solved(
    course: Course,
    parameters: jax.Array,
    state: jax.Array,
    begin: jax.Array,
    times: jax.Array,
    tolerance: Any,
) -> jax.Array:
    """States at the `times` of one segment, its end the last of them."""
    found = diffrax.diffeqsolve(
        diffrax.ODETerm(course.field),
        diffrax.Tsit5(),
        begin,
        times[-1],
        None,
        state,
        args=parameters,
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=diffrax.PIDController(tolerance, tolerance),
        max_steps=course.steps,
        throw=False,
    ).ys
    assert found is not None
    return found
