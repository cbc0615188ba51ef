"""The best amounts between the bounds: SciPy's SLSQP on exact gradients, with errors.

Draws and patients stay the same from step to step, so that the optimum is that of a
smooth function. Its Monte Carlo error follows from the batches: each would have moved
the point where the slopes of the Lagrangian vanish and the limits that bind hold.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from imak_pkpd.decide.designs import Treated
from imak_pkpd.decide.evaluate import Batch, Program
from imak_pkpd.decide.slopes import nobody, slopes

ACCURACY = 1e-14  # of the utility: SciPy stops where a step gains less,
BINDS = 1e-6  # a limit or a bound so near is taken as binding
PART = 1e-4  # or less than this part of its Monte Carlo error (at most half of BINDS)
NEAR = 0.05  # of a logarithm: the last Newton step is shorter
STEP = 1e-4  # of a logarithm, for second derivatives by differences of slopes

Vector = Float[np.ndarray, " free"]


class Aims(NamedTuple):
    """One design: utility and room left by every limit, and their slopes, by batch.

    Slopes are by the logarithm of each free amount.
    """

    utility: Float[np.ndarray, " batch"]
    room: Float[np.ndarray, "batch limit"]
    utility_slope: Float[np.ndarray, "batch free"]
    room_slope: Float[np.ndarray, "batch limit free"]


class Optimum(NamedTuple):
    """The best amounts found, whether every limit holds, and Monte Carlo errors.

    `amounts_se` is that of the logarithms of the free amounts. `evaluations` are those
    of all batches; `slope_evaluations` of them with derivatives.
    """

    amounts: Float[np.ndarray, " dose"]
    utility: float
    utility_se: float
    amounts_se: Vector
    binding: tuple[str, ...]
    feasible: bool
    evaluations: int
    message: str


class Search:
    """The function that is optimised, remembering where it has been.

    A patient who is lost at one design is left out of all: where patients came and
    went from one design to the next, the function would jump.
    """

    def __init__(
        self,
        made: Treated,
        some: Sequence[Batch],
        start: Float[np.ndarray, " dose"],
        program: Program | None = None,
    ) -> None:
        self.made, self.some, self.start, self.program = made, some, start, program
        names = list(made.block.amount)
        self.free = np.array([names.index(name) for name in made.block.free], int)
        self.known: dict[bytes, Aims] = {}
        self.lost = nobody(some)
        self.evaluations = 0

    def amounts(self, logs: Vector) -> Float[np.ndarray, " dose"]:
        """All amounts, from the logarithms of the free ones."""
        made = self.start.copy()
        made[self.free] = np.exp(logs)
        return made

    def aims(self, logs: Vector) -> Aims:
        key = np.asarray(logs).tobytes()
        if key not in self.known:
            self.known[key] = self._solved(self.amounts(logs))
        return self.known[key]

    def _solved(self, amounts: Float[np.ndarray, " dose"]) -> Aims:
        found = slopes(self.made, self.some, amounts, self.lost, self.program)
        _refuse_no_number(found.means, amounts)
        self.evaluations += 1
        if (found.lost & ~self.lost).any():  # what is known was of other patients
            self.known.clear()
            self.lost = found.lost
        return self._aims(found.means)

    def _aims(self, found: Mapping[str, np.ndarray]) -> Aims:
        limits = self.made.block.limit
        room = [each.at_most - found[f"limit[{n}]"] for n, each in limits.items()]
        steep = [-found[f"slope limit[{n}]"][:, self.free] for n in limits]
        many, size = len(found["utility"]), len(self.free)
        return Aims(
            found["utility"],
            np.stack(room, -1) if room else np.zeros((many, 0)),
            found["slope utility"][:, self.free],
            np.stack(steep, 1) if steep else np.zeros((many, 0, size)),
        )


def _refuse_no_number(
    found: Mapping[str, np.ndarray], amounts: Float[np.ndarray, " dose"]
) -> None:
    """Raises a `ValueError` that names what has no slope, and at which amounts."""
    broken = [name for name, value in found.items() if not np.isfinite(value).all()]
    if broken:
        at = ", ".join(f"{each:.3g}" for each in amounts)
        raise ValueError(
            f"{broken[0]} is no number at the amounts {at}, so no best amounts between "
            "those of the table can be found: write `levels` in [decision.amount], and "
            "please report it"
        )


def best_amounts(
    made: Treated,
    some: Sequence[Batch],
    start: Float[np.ndarray, " dose"],
    program: Program | None = None,
) -> Optimum:
    """The free amounts of the largest utility inside bounds and limits.

    From `start`, whose other amounts stay; `program` as in `slopes`.
    """
    search = Search(made, some, start, program)
    choices = made.block.amount.values()
    bounds = [(*np.log([c.shown[0], c.shown[-1]]),) for c in choices if c.free]
    rooms = {
        "type": "ineq",
        "fun": lambda logs: search.aims(logs).room.mean(0),
        "jac": lambda logs: search.aims(logs).room_slope.mean(0),
    }
    begin = np.log(start[search.free])
    enough = PART * standard_error(search.aims(begin).utility)
    found = minimize(
        lambda logs: -search.aims(logs).utility.mean(),
        begin,
        jac=lambda logs: -search.aims(logs).utility_slope.mean(0),
        method="SLSQP",
        bounds=bounds,
        constraints=[rooms] if made.block.limit else [],
        options={"ftol": np.clip(enough, ACCURACY, 0.5 * BINDS), "maxiter": 100},
    )
    return _optimum(search, found.x, np.asarray(bounds), found.message)


def _optimum(search: Search, logs: Vector, bounds: np.ndarray, message: str) -> Optimum:
    """From where SciPy stopped, one Newton step onto the optimum, and its errors."""
    tight = search.aims(logs).room.mean(0) < BINDS
    inner = (logs - bounds[:, 0] >= BINDS) & (bounds[:, 1] - logs >= BINDS)
    system = _system(search, logs, tight, inner)
    step, _ = _moved(search.aims(logs), system, tight, inner)
    if np.abs(step).max() < NEAR:  # farther off, the curvature is another one there
        logs = np.clip(logs + step, *bounds.T)
    _, by_batch = _moved(search.aims(logs), system, tight, inner)
    aims = search.aims(logs)
    value = aims.utility + aims.room[:, tight] @ system.price
    names = np.array([*search.made.block.limit], object)
    return Optimum(
        search.amounts(logs),
        float(aims.utility.mean()),
        standard_error(value),
        np.array([standard_error(each) for each in by_batch.T]),
        tuple(names[tight]),
        bool((aims.room.mean(0) > -BINDS).all()),
        search.evaluations,
        message,
    )


class System(NamedTuple):
    """The Lagrangian at an optimum, linearised: its matrix, and the limits' prices.

    There slope(U) + price · slope(room) = 0 and room = 0; unknown are the logarithms
    that no bound holds and the prices of the limits that bind.
    """

    matrix: Float[np.ndarray, "unknown unknown"]
    price: Float[np.ndarray, " tight"]


def _system(
    search: Search, logs: Vector, tight: np.ndarray, inner: np.ndarray
) -> System:
    aims = search.aims(logs)
    steep = aims.room_slope.mean(0)[tight][:, inner]
    price = np.linalg.lstsq(steep.T, -aims.utility_slope.mean(0)[inner])[0]
    price = np.maximum(price, 0.0)
    curved = _curvature(search, logs, tight, inner, price)
    return System(
        np.block([[curved, steep.T], [steep, np.zeros((len(steep), len(steep)))]]),
        price,
    )


def _moved(
    aims: Aims, system: System, tight: np.ndarray, inner: np.ndarray
) -> tuple[Vector, Float[np.ndarray, "batch free"]]:
    """The Newton step of all batches, and how far each would move it by itself."""
    slope = aims.utility_slope[:, inner] + np.einsum(
        "k,bkf->bf", system.price, aims.room_slope[:, tight][:, :, inner]
    )
    off = np.concatenate([slope, aims.room[:, tight]], 1)
    each = np.zeros((len(off), len(inner)))
    solved = np.linalg.lstsq(system.matrix, -off.T)[0].T
    each[:, inner] = solved[:, : inner.sum()]
    return each.mean(0), each - each.mean(0)


def _curvature(
    search: Search, logs: Vector, tight: np.ndarray, inner: np.ndarray, price: Vector
) -> Float[np.ndarray, "inner inner"]:
    """Second derivatives of the Lagrangian, by differences of its slopes."""

    def slope(at: Vector) -> Vector:
        aims = search.aims(at)
        return aims.utility_slope.mean(0) + price @ aims.room_slope.mean(0)[tight]

    rows = [
        (slope(logs + move) - slope(logs))[inner] / STEP
        for move in STEP * np.eye(len(logs))[inner]
    ]
    made = np.asarray(rows).reshape(inner.sum(), inner.sum())
    return 0.5 * (made + made.T)


def standard_error(by_batch: Float[np.ndarray, " batch"]) -> float:
    """Of the mean of batches."""
    return float(np.std(by_batch, ddof=1) / np.sqrt(len(by_batch)))
