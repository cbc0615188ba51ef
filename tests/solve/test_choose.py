"""Which stepper the pilots ask for: explicit but where stability costs too much."""

import dataclasses

import jax.numpy as jnp
import pytest

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.solve.calibrate import calibrated
from imak_pkpd.solve.choose import WORTH, choose, dearer, split_dearer
from imak_pkpd.solve.mesh import declared_dosing
from imak_pkpd.solve.split import Split
from imak_pkpd.solve.stepper import Adaptive, Explicit, Rosenbrock
from tests.reference_models.absorbed import Absorbed
from tests.reference_models.receptor import Receptor
from tests.solve.receptor import patients, schedule
from tests.solve.records import dose, other, schedule_of, seen

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


class Undeclared(Absorbed):
    """The same model in one piece."""

    forcing = ()


def absorbed(kind: type[Absorbed], fast: float) -> Absorbed:
    """Absorbed at `fast` per hour, and spread half as fast; eliminated in days."""
    rates = (fast, 0.03, 0.5 * fast, 0.25 * fast)
    return kind(*(jnp.full(1, rate) for rate in rates))


def six_weeks(kind: type[Absorbed]) -> Schedule:
    rows = [other(0.0), dose(0.0, 1.0, cmt=1), *seen(24.0, 240.0, 1000.0)]
    return schedule_of([rows], kind)


@pytest.mark.parametrize(("fast", "method"), [(3.0, "split"), (0.1, "mesh")])
def test_a_fast_drug_is_put_in_closed_form_where_it_limits_steps(
    fast: float, method: str
) -> None:
    model, plan, dosing = (
        absorbed(Absorbed, fast), six_weeks(Absorbed), declared_dosing(Absorbed)
    )  # fmt: skip
    made = choose([model], plan, dosing, 1e-5)
    assert made.method == method
    explicit, split = (
        calibrated([model], plan, dosing, 1e-5, stepper).steps
        for stepper in (Explicit(), Split())
    )
    cheaper = explicit > WORTH * split_dearer(4) * split
    assert cheaper == (method == "split")
    if cheaper:
        assert made.reason == (
            f"{split:.0f} steps with the drugs in closed form against {explicit:.0f} "
            "without, each at 1.7 times the cost"
        )


def test_what_is_not_declared_is_not_split() -> None:
    model, dosing = absorbed(Undeclared, 3.0), declared_dosing(Undeclared)
    assert choose([model], six_weeks(Undeclared), dosing, 1e-5).method == "rosenbrock"


def test_a_stepper_of_any_length_has_no_steps_to_place() -> None:
    with pytest.raises(ValueError, match="no sub-steps to place"):
        calibrated([patients()], schedule(1), DOSING, 1e-5, Adaptive())
