"""Draws that lose patients for their steps get shorter ones; no shape changes."""

import jax.numpy as jnp
import numpy as np
import pytest

from imak_pkpd.decide.designs import Treated
from imak_pkpd.decide.evaluate import Batch, evaluate, with_shorter_steps
from imak_pkpd.decide.own_steps import _alike, halved
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing
from tests.decide.toy import LEVELS, toy

FINE = np.linspace(0.0, 8.0, 41)
COARSE = np.array([0.0, 4.0, 8.0])
"""b falls by e^-t: a step over four days errs by more than a twentieth of b, two steps
over two days each by less."""
TOO_MANY = np.linspace(0.0, 8.0, 37)
"""In halves these would be more nodes than 41."""


def meshes(made: Treated, steps: list[np.ndarray]) -> Mesh:
    alike, dosing = _alike(made, len(steps)), declared_dosing(made.cohort.model)
    return build_mesh(alike, dosing, steps)


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Treated, list[Batch]]:
    return toy(tmp_path_factory.mktemp("toy"), LEVELS)


def test_steps_are_halved_where_asked_and_where_there_is_room(
    toys: tuple[Treated, list[Batch]],
) -> None:
    made, _ = toys
    before = meshes(made, [FINE, COARSE, COARSE, TOO_MANY])
    after = halved(made, before, np.array([False, True, False, True]))
    assert after.clock.shape == before.clock.shape
    here = [np.unique(clock) for clock in np.asarray(after.clock)]
    expected = [FINE, np.linspace(0.0, 8.0, 5), COARSE, TOO_MANY]
    for found, wanted in zip(here, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-15)


def test_a_draw_that_loses_patients_keeps_them_with_shorter_steps(
    toys: tuple[Treated, list[Batch]],
) -> None:
    made, some = toys
    coarse = meshes(made, [FINE, COARSE, FINE, FINE])
    rough = [batch._replace(meshes=coarse) for batch in some]
    amounts = np.array([[2.0, 4.0]])
    lost = evaluate(made, rough, amounts).means["failed"]
    assert (lost[:, 1] == 1.0).all()
    assert (lost[:, [0, 2, 3]] == 0.0).all()
    surer = with_shorter_steps(made, rough)
    assert (evaluate(made, surer, amounts).means["failed"] == 0.0).all()
    for batch in surer:
        clock = jnp.asarray(batch.meshes.clock)
        assert clock.shape == coarse.clock.shape
        np.testing.assert_array_equal(clock[0], coarse.clock[0])
