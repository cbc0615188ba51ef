"""`choose`: explicit steps, split ones or Rosenbrock's: what costs least at the pilots.

Split steps, where the model declares what they need, and Rosenbrock's cost more, by
`split_dearer` and `dearer`; they are taken where stability asks an explicit method for
so many more steps, or where explicit steps do not solve every pilot. Where they do and
accuracy asks for most of them, as the spectral radius at the pilots says, no other mesh
is made.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.model import AbstractModel, Dosing
from imak_pkpd.solve.calibrate import Calibrated, UnsolvedError, calibrated
from imak_pkpd.solve.mesh import Mesh
from imak_pkpd.solve.split import Split, declares_parts
from imak_pkpd.solve.stepper import Explicit, Rosenbrock

BOUND = 2.0  # explicit steps, by those that accuracy asks for: beyond, split is tried
WORTH = 2.0  # it has to cost so much less: its gradient takes 2 to 5 times to compile

Method = Literal["mesh", "split", "rosenbrock"]
"""As in [solver]."""


_Asked = tuple[Sequence[AbstractModel], Schedule, Mapping[str, Dosing], float]


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
    asked: _Asked = (pilots, schedule, dosing, tolerance)
    try:
        explicit = calibrated(*asked, Explicit(), share)
        split = _split(explicit, asked, share)
        if split is not None:
            return split
    except UnsolvedError:
        rosenbrock = calibrated(*asked, Rosenbrock(), share)
        reason = "explicit steps solve no pilot, however short"
        return Chosen(rosenbrock.mesh, "rosenbrock", reason)
    ratio = dearer(explicit.states)
    enough = explicit.solved >= (share or 1.0)
    if enough and explicit.steps <= ratio * explicit.accurate:
        return Chosen(explicit.mesh, "mesh", _bound(explicit))
    return _cheaper(explicit, calibrated(*asked, Rosenbrock(), share), ratio, enough)


def _split(explicit: Calibrated, asked: _Asked, share: float | None) -> Chosen | None:
    """Split steps, where they are declared and at the most half as dear."""
    bound = explicit.steps > BOUND * explicit.accurate
    if not bound or not declares_parts(type(asked[0][0])):
        return None
    try:
        split = calibrated(*asked, Split(), share)
    except UnsolvedError:
        return None
    fewer, ratio = split.steps, split_dearer(explicit.states)
    if split.solved < explicit.solved or explicit.steps <= WORTH * ratio * fewer:
        return None
    said = (
        f"{fewer:.0f} steps with the drugs in closed form against {explicit.steps:.0f} "
        f"without, each at {ratio:.2g} times the cost"
    )
    return Chosen(split.mesh, "split", said)


def split_dearer(states: int) -> float:
    """What a split step costs, in explicit ones, with gradient.

    Measured on one core: 1.8 (imak-5 of benchmarks/, 5 states), 2.3 (friberg there, 8
    states), 4.4 (imak_full, 19 states).
    """
    return 1.0 + states / 6


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
