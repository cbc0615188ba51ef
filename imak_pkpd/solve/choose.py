"""`choose`: explicit steps or Rosenbrock's, by which mesh costs less at the pilots.

A Rosenbrock step costs more, by `dearer`; it is taken where stability asks an explicit
method for so many more steps than accuracy asks Rosenbrock's for, or where explicit
steps do not solve every pilot. Where they do and stability asks for few of them, as the
spectral radius at the pilots says, Rosenbrock's mesh is not made.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.model import AbstractModel, Dosing
from imak_pkpd.solve.calibrate import Calibrated, UnsolvedError, calibrated
from imak_pkpd.solve.mesh import Mesh
from imak_pkpd.solve.stepper import Explicit, Rosenbrock

Method = Literal["mesh", "rosenbrock"]
"""As in [solver]."""


class Chosen(NamedTuple):
    """The mesh, how it is crossed, and the words that say why."""

    mesh: Mesh
    method: Method
    reason: str


def choose(
    pilots: Sequence[AbstractModel],
    schedule: Schedule,
    dosing: Mapping[str, Dosing],
    tolerance: float,
    share: float | None = None,
) -> Chosen:
    """The cheaper of two calibrated meshes, explicit where they cost the same.

    Arguments as those of `calibrate`. Raises a `ValueError` when no pilot can be solved
    by either.
    """
    asked = (pilots, schedule, dosing, tolerance)
    try:
        explicit = calibrated(*asked, Explicit(), share)
    except UnsolvedError:
        rosenbrock = calibrated(*asked, Rosenbrock(), share)
        reason = "explicit steps solve no pilot, however short"
        return Chosen(rosenbrock.mesh, "rosenbrock", reason)
    ratio = dearer(explicit.states)
    enough = explicit.solved >= (share or 1.0)
    if enough and explicit.steps <= ratio * explicit.accurate:
        return Chosen(explicit.mesh, "mesh", _bound(explicit))
    return _cheaper(explicit, calibrated(*asked, Rosenbrock(), share), ratio, enough)


def dearer(states: int) -> float:
    """What a Rosenbrock step costs, in explicit ones, with gradient.

    Measured on one core with 33 subjects: 1.8 (imak_core, 6 states), 5.2 (a receptor,
    5 states: `benchmarks/stiff.py`), 11.8 (imak_full, 19 states).
    """
    return 2.0 + states / 2


def _cheaper(
    explicit: Calibrated, rosenbrock: Calibrated, ratio: float, enough: bool
) -> Chosen:
    """Also Rosenbrock where explicit steps leave pilots unsolved that it solves."""
    steps, fewer = explicit.steps, rosenbrock.steps
    if not enough and rosenbrock.solved > explicit.solved:
        said = f"explicit steps solve {explicit.solved:.0%} of the pilots"
        return Chosen(rosenbrock.mesh, "rosenbrock", said)
    said = f"{steps:.0f} explicit steps against {fewer:.0f} that cost {ratio:g} times"
    if steps > ratio * fewer:
        return Chosen(rosenbrock.mesh, "rosenbrock", said)
    return Chosen(explicit.mesh, "mesh", said)


def _bound(explicit: Calibrated) -> str:
    return (
        f"{explicit.steps:.0f} explicit steps, of which accuracy alone asks for "
        f"{explicit.accurate:.0f}"
    )
