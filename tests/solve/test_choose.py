"""Which stepper the pilots ask for: explicit but where stability costs too much."""

import dataclasses

import jax.numpy as jnp
import pytest

from imak_pkpd.solve.calibrate import calibrated
from imak_pkpd.solve.choose import choose, dearer
from imak_pkpd.solve.mesh import declared_dosing
from imak_pkpd.solve.stepper import Adaptive, Explicit, Rosenbrock
from tests.reference_models.receptor import Receptor
from tests.solve.receptor import patients, schedule

DOSING = declared_dosing(Receptor)


def slowed(by: float) -> Receptor:
    """Binding and unbinding slower, their ratio the same."""
    usual = patients()
    return dataclasses.replace(usual, kon=usual.kon / by, koff=usual.koff / by)


def test_a_stiff_model_is_crossed_by_rosenbrock() -> None:
    made = choose([patients()], schedule(1), DOSING, 1e-5)
    assert made.method == "rosenbrock"
    assert made.reason == "explicit steps solve no pilot, however short"
    assert made.mesh.nodes < 500


def test_one_that_is_not_stays_explicit() -> None:
    """Binding at 3/h: what accuracy asks for is stable."""
    made = choose([slowed(1000.0)], schedule(1), DOSING, 1e-5)
    assert made.method == "mesh"
    assert "of which accuracy alone asks for" in made.reason
    explicit = calibrated([slowed(1000.0)], schedule(1), DOSING, 1e-5, Explicit())
    assert bool(jnp.all(made.mesh.clock == explicit.mesh.clock))


@pytest.mark.parametrize(("by", "method"), [(10.0, "rosenbrock"), (100.0, "mesh")])
def test_between_them_the_cheaper_mesh(by: float, method: str) -> None:
    """Where both solve the pilot, by steps times what a step costs."""
    model, plan = slowed(by), schedule(1)
    made = choose([model], plan, DOSING, 1e-5)
    assert made.method == method
    steps = [
        calibrated([model], plan, DOSING, 1e-5, stepper).steps
        for stepper in (Explicit(), Rosenbrock())
    ]
    assert (steps[0] > dearer(5) * steps[1]) == (method == "rosenbrock")


def test_a_pilot_that_explicit_steps_do_not_solve_decides() -> None:
    """The mesh must do for all of them."""
    both = [slowed(1000.0), slowed(10.0)]
    made = choose(both, schedule(1), DOSING, 1e-5)
    assert made.method == "rosenbrock"
    assert made.reason == "explicit steps solve 50% of the pilots"


def test_a_stepper_of_any_length_has_no_steps_to_place() -> None:
    with pytest.raises(ValueError, match="no sub-steps to place"):
        calibrated([patients()], schedule(1), DOSING, 1e-5, Adaptive())
