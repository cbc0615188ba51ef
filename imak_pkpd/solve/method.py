"""What a [solver] method crosses intervals by."""

from imak_pkpd.solve.split import Split
from imak_pkpd.solve.stepper import (
    AbstractStepper,
    Adaptive,
    Exact,
    Explicit,
    Rosenbrock,
)

MESHES = ("mesh", "split", "rosenbrock")
"""Methods that cross steps of our making."""


def default_stepper(method: str) -> AbstractStepper:
    """The stepper of a method: closed, mesh, split, rosenbrock or adaptive."""
    match method:
        case "closed":
            return Exact()
        case "mesh":
            return Explicit()
        case "split":
            return Split()
        case "rosenbrock":
            return Rosenbrock()
        case _:
            return Adaptive()
