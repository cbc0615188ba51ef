"""Steps of every draw's own: those that suit all draws are nearly twice as many.

Where steps must be short (when the donor cells are rejected) differs between draws, and
steps for all of them are short at all of these times.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.decide.designs import Treated, between
from imak_pkpd.fit.over_draws import over_draws
from imak_pkpd.fit.virtual import (
    PILOT_PATIENTS,
    SHARE,
    first_patients,
    with_patients,
)
from imak_pkpd.solve.calibrate import Need, need_of, sub_steps
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing

ENDS = (0.0, 1.0)  # the lowest and the highest amounts: each is fastest somewhere


def own_meshes(made: Treated, sites: Mapping[str, np.ndarray]) -> Mesh:
    """The steps of all patients at each of these draws, leaves [draw, node].

    They are what the first patients ask for at both ends of the amounts. A draw at
    which one of them is not solved on the steps of `made` keeps those.
    """
    needs, dosing = _needs(made, sites), declared_dosing(made.cohort.model)
    draws = len(needs.solved)
    alike = _alike(made, draws)
    events = np.unique(build_mesh(alike, dosing).clock)
    shared = np.unique(np.asarray(made.cohort.mesh.clock))
    steps = [
        _steps(Need(*(leaf[draw] for leaf in needs)), events, shared)
        for draw in range(draws)
    ]
    return build_mesh(alike, dosing, steps)


def _alike(made: Treated, draws: int) -> Schedule:
    """The schedule of one patient for each draw: its events are everybody's
    (`schedule_of`)."""
    return jax.tree.map(
        lambda leaf: np.repeat(leaf[:1], draws, axis=0), made.cohort.schedule
    )


def halved(made: Treated, meshes: Mesh, which: Bool[np.ndarray, " draw"]) -> Mesh:
    """The same, leaves [draw, node], with every step of some draws in halves.

    Where that is more nodes than all draws have by now, a draw keeps its steps: with
    as many nodes as before nothing is compiled anew.
    """
    alike, dosing = _alike(made, len(which)), declared_dosing(made.cohort.model)
    room = meshes.clock.shape[-1] - build_mesh(alike, dosing).clock.shape[-1]
    own = [np.unique(clock) for clock in np.asarray(meshes.clock)]
    finer = [np.union1d(steps, 0.5 * (steps[1:] + steps[:-1])) for steps in own]
    fits = [len(steps) <= room for steps in finer]
    rows = zip(own, finer, which & np.array(fits), strict=True)
    steps = [halves if those else before for before, halves, those in rows]
    return build_mesh(alike, dosing, steps)


def _steps(need: Need, events: np.ndarray, shared: np.ndarray) -> np.ndarray:
    """Those of one draw."""
    if not need.solved.all():
        return shared
    return sub_steps(need, range(need.solved.shape[-1]), events, SHARE)


def _needs(made: Treated, sites: Mapping[str, np.ndarray]) -> Need:
    """What the first patients ask for, leaves [draw, end, patient, ...]."""
    found = over_draws(_program(made), sites)
    return Need(**found)  # type: ignore[arg-type]


@lru_cache(maxsize=16)
def _program(made: Treated) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
    """The needs of (sites); other draws of the same design compile nothing."""
    some = first_patients(made.cohort.patients, PILOT_PATIENTS)
    few = replace(made, cohort=with_patients(made.cohort, some))
    cohort = few.cohort

    def of_end(sites: Mapping[str, Array], end: Array) -> Need:
        model, schedule = few.individuals(sites, between(few.block, end))
        tolerance = cohort.block.tolerance
        return need_of(model, schedule, cohort.mesh, tolerance, cohort.stepper)

    def of_draw(sites: Mapping[str, Array]) -> dict[str, Array]:
        found = jax.lax.map(partial(of_end, sites), jnp.asarray(ENDS))
        return found._asdict()

    return jax.jit(lambda sites: jax.lax.map(of_draw, dict(sites)))
