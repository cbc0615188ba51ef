"""Steps of every draw's own: those that suit all draws are nearly twice as many.

Where steps must be short (when the donor cells are rejected) differs between draws, and
steps for all of them are short at all of these times.
"""

from collections.abc import Mapping

import jax
import numpy as np
from jaxtyping import Bool

from imak_pkpd.data.padding import bucket
from imak_pkpd.data.schedule import Schedule
from imak_pkpd.decide.designs import Treated
from imak_pkpd.fit.virtual import SHARE
from imak_pkpd.solve.calibrate import Need, needs, sub_steps
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing, padded

SPARE = 1.1  # nodes, by those that are needed
ENDS = (0.0, 1.0)  # the lowest and the highest amounts: each is fastest somewhere


def own_meshes(made: Treated, sites: Mapping[str, np.ndarray], room: int = 0) -> Mesh:
    """The steps of all patients at each of these draws, leaves [draw, node].

    They are what the first patients ask for at both ends of the amounts. A draw at
    which one of them is not solved on the steps of `made` keeps those. Where `room` is
    0 there are a tenth more nodes than asked for: padding costs nothing where a draw
    is solved alone, and is where another fit's draws find room.
    """
    dosing, cohort = declared_dosing(made.cohort.model), made.cohort
    pilots = made.first_patients(sites, ENDS)
    grid = cohort.shared.mesh
    found = needs(pilots, grid, cohort.block.tolerance, cohort.stepper)
    draws = len(pilots) // len(ENDS)
    alike = _alike(made, draws)
    events = np.unique(build_mesh(alike, dosing).clock)
    shared = np.unique(np.asarray(cohort.mesh.clock))
    steps = [_steps(_of_draw(found, draw), events, shared) for draw in range(draws)]
    mesh = build_mesh(alike, dosing, steps)
    return padded(mesh, room or bucket(round(SPARE * mesh.nodes)))


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
    return padded(build_mesh(alike, dosing, steps), meshes.nodes)


def _steps(need: Need, events: np.ndarray, shared: np.ndarray) -> np.ndarray:
    """Those of one draw."""
    if not need.solved.all():
        return shared
    return sub_steps(need, range(need.solved.shape[-1]), events, SHARE)


def _of_draw(found: Need, draw: int) -> Need:
    first = draw * len(ENDS)
    return Need(*(leaf[first : first + len(ENDS)] for leaf in found))
