"""The full model in parts, its drugs in closed form, against the model in one piece.

Both on one fine mesh: every state to 1e-6 of itself, or 1e-8 of its largest value. The
rules of what follows (exposure, running peak) are of second order, hence its steps; the
peak to 5e-7 of its largest value.
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.model import AbstractModel
from imak_pkpd.model.dependence import reads
from imak_pkpd.solve.march import inputs_of, march
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing
from imak_pkpd.solve.split import Split
from imak_pkpd.solve.stepper import AbstractStepper, Explicit
from imak_pkpd.solve.trajectory import Trajectory, solve
from tests.solve.full_model import (
    PATIENTS,
    read_schedule,
    their_schedule,
)

LAST = 20.0  # d
FINE = (np.arange(-1, 0, 5e-3), np.arange(0, 7, 8e-4), np.arange(7, LAST, 2e-2))
FLOORS = {"Spk": 5e-7}  # Runge-Kutta is of first order at the corner where S meets it
QUARTERS = (np.arange(-1, 14, 0.25), np.arange(14, LAST, 1.0))
COARSE = (np.arange(-1, 14, 0.08), np.arange(14, LAST, 1.0))


@pytest.fixture(scope="module")
def schedule(
    kind: type[AbstractModel],
    medians: dict[str, float],
    tmp_path_factory: pytest.TempPathFactory,
) -> Schedule:
    days = {name: [1.0, LAST] for name in PATIENTS}
    return their_schedule(kind, medians, days, tmp_path_factory.mktemp("split"))


def mesh_of(kind: type[AbstractModel], schedule: Schedule, steps: tuple) -> Mesh:
    extra = [np.unique(np.concatenate(steps))] * schedule.subjects
    return build_mesh(schedule, declared_dosing(kind), extra)


def solved(
    model: AbstractModel, schedule: Schedule, mesh: Mesh, stepper: AbstractStepper
) -> Trajectory:
    run = jax.jit(lambda m, s, g: solve(m, s, g, stepper))
    return run(model, schedule, mesh)


@pytest.mark.parametrize("induction", [None, 0.0])
def test_both_forms_agree(
    kind: type[AbstractModel], model: Any, schedule: Schedule, induction: float | None
) -> None:
    """With and without the induction of cyclophosphamide's clearance."""
    if induction is not None:
        off = jnp.full_like(model.cy_Emax_ind, induction)
        model = jax.tree.map(lambda x: off if x is model.cy_Emax_ind else x, model)
    mesh = mesh_of(kind, schedule, FINE)
    whole = solved(model, schedule, mesh, Explicit())
    parts = solved(model, schedule, mesh, Split())
    assert np.all(np.asarray(parts.status) == 0)
    for name in type(whole.after)._fields:
        expected = np.asarray(getattr(whole.after, name))
        largest = np.abs(expected).max(1, keepdims=True)
        limit = 1e-6 * np.abs(expected) + FLOORS.get(name, 1e-8) * largest + 1e-300
        off_by = np.abs(np.asarray(getattr(parts.after, name)) - expected)
        assert (off_by <= limit).all(), (name, float((off_by / limit).max()))


def test_long_steps_are_stable_where_whole_ones_are_not(
    kind: type[AbstractModel], model: AbstractModel, schedule: Schedule
) -> None:
    """Steps of a day: IL-2 alone loses twelve e-folds in each."""
    fine = solved(model, schedule, mesh_of(kind, schedule, FINE), Split())
    mesh = mesh_of(kind, schedule, COARSE)
    long = solved(model, schedule, mesh, Split())
    whole = solved(model, schedule, mesh, Explicit())
    for name in ("tumour", "gvhd", "grade_3", "donor"):
        expected = np.asarray(fine.outputs[name].after[:, -1])
        got = np.asarray(long.outputs[name].after[:, -1])
        np.testing.assert_allclose(got, expected, rtol=0.02, err_msg=name)
    left = fine.outputs["il2"].after[:, -1]
    assert np.all(np.asarray(whole.outputs["il2"].after[:, -1]) > 1e6 * left)


def test_a_peak_inside_a_step_is_seen(
    kind: type[AbstractModel], model: AbstractModel, schedule: Schedule
) -> None:
    """Steps of a quarter of a day: the cytokine peaks within hours of IL-2.

    To 1 %; straight lines over whole steps were 2 % off.
    """
    peaks = [
        solved(model, schedule, mesh_of(kind, schedule, steps), Split())
        .outputs["cytokine_peak"]
        .after[:, -1]
        for steps in (FINE, QUARTERS)
    ]
    np.testing.assert_allclose(peaks[1], peaks[0], rtol=1e-2)


def test_the_parts_read_what_they_may(
    kind: type[AbstractModel], model: AbstractModel, schedule: Schedule
) -> None:
    """Drugs read only themselves, linearly; what follows is read by no other state."""
    mesh = mesh_of(kind, schedule, COARSE)
    pick = lambda tree: jax.tree.map(lambda x: jnp.asarray(x)[0], tree)  # noqa: E731
    one, here = pick(model), pick(schedule)
    path = march(one, here, pick(mesh), Split())
    state = path.unravel(path.after[5])
    names = list(type(state)._fields)
    inputs = inputs_of(here, jax.tree.map(lambda x: x[5], path.stops))(jnp.asarray(0.0))

    def rates(*values: Any) -> list[Any]:
        return list(one.rates(jnp.asarray(0.0), type(state)(*values), inputs))

    read = {
        name: {names[i] for i in found}
        for name, found in zip(names, reads(rates, len(names)), strict=True)
    }
    for group in kind.forcing:
        assert all(read[name] <= set(group) for name in group)
        slopes = jax.jacfwd(rates, argnums=tuple(names.index(n) for n in group))
        at = [
            slopes(*(jnp.asarray(x) for x in values)) for values in (state, [2.0] * 19)
        ]
        for name in group:
            np.testing.assert_allclose(
                at[0][names.index(name)], at[1][names.index(name)], rtol=1e-12
            )
    following = set(one.follow(state, state, jnp.asarray(1.0)))
    readers = {name for name in names if read[name] & following} - following
    assert not readers


def test_an_infusion_into_a_population_is_no_number(
    kind: type[AbstractModel], model: AbstractModel, medians: dict, tmp_path: Path
) -> None:
    """Zero cells have no logarithm to start from: a status, not a lost infusion."""
    days = {name: [1.0, 2.0] for name in PATIENTS}
    their_schedule(kind, medians, days, tmp_path)
    text = (tmp_path / "full.csv").read_text().splitlines()
    head = text[0].replace("AMT", "AMT,RATE")
    cells = lambda row: row.split(",")[4] == "2"  # noqa: E731
    rows = [
        ",".join([*f[:4], str(2 * float(f[3])) if cells(row) else ".", *f[4:]])
        for row in text[1:]
        for f in [row.split(",")]
    ]
    (tmp_path / "full.csv").write_text("\n".join([head, *rows]) + "\n")
    schedule = read_schedule(kind, tmp_path)
    mesh = mesh_of(kind, schedule, (np.arange(-1, 2, 0.1),))
    assert np.all(np.asarray(solved(model, schedule, mesh, Split()).status) != 0)
    assert np.all(np.asarray(solved(model, schedule, mesh, Explicit()).status) == 0)
