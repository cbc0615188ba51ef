"""A drug that binds a receptor 1e6 times faster than it is lost: a stiff model.

IL-2 and its receptor alpha (CD25): 5e10 per M and h, half of the complexes fall apart
in 1.7 s (Wang & Smith 1987, J Exp Med 166:1055).
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.model import AbstractModel, Inputs, Scalar, parameter, parameters
from tests.solve.records import Record, dose, other, schedule_of, seen

TIMES = (0.5, 6.0, 23.0, 24.5, 47.0, 96.0)  # h
DOSES = ((0.0, 10.0), (24.0, 20.0))  # h, nmol
RECORDS: list[Record] = sorted(
    [other(0.0), *(dose(t, amount, cmt=1) for t, amount in DOSES), *seen(*TIMES)],
    key=lambda record: record["TIME"],
)
USUAL = {
    "ka": 0.3, "ke": 0.4, "k12": 0.1, "k21": 0.01, "kon": 50.0, "koff": 1440.0,
    "kint": 1.0, "kdeg": 0.05, "R0": 5.0,
}  # fmt: skip


class Bound(NamedTuple):
    depot: Scalar
    free: Scalar
    tissue: Scalar
    receptor: Scalar
    bound: Scalar


class Receptor(AbstractModel):
    """Amounts in 1 L: nmol and nM are the same number."""

    time = "h"
    doses: ClassVar[dict[str, str]] = {"drug": "nmol"}
    outputs: ClassVar[dict[str, str]] = {"concentration": "nM"}
    ka: Scalar = parameter("1/h", "absorption", "assumed")
    ke: Scalar = parameter("1/h", "elimination", "assumed")
    k12: Scalar = parameter("1/h", "into tissue", "assumed")
    k21: Scalar = parameter("1/h", "out of tissue", "assumed")
    kon: Scalar = parameter("1/nM/h", "binding", "Wang & Smith 1987")
    koff: Scalar = parameter("1/h", "unbinding", "Wang & Smith 1987")
    kint: Scalar = parameter("1/h", "internalisation", "assumed")
    kdeg: Scalar = parameter("1/h", "turnover of receptors", "assumed")
    R0: Scalar = parameter("nM", "receptors at rest", "assumed")

    def initial(self, inputs: Inputs) -> Bound:
        none = jnp.zeros_like(self.R0)
        return Bound(none, none, none, self.R0, none)

    def dose(self, state: Bound, name: str, amount: Scalar) -> Bound:
        return state._replace(depot=state.depot + amount)

    def rates(self, t: Scalar, state: Bound, inputs: Inputs) -> Bound:
        absorbed = self.ka * state.depot
        binding = self.kon * state.free * state.receptor - self.koff * state.bound
        outward = self.k12 * state.free - self.k21 * state.tissue
        return Bound(
            depot=-absorbed,
            free=absorbed - self.ke * state.free - outward - binding,
            tissue=outward,
            receptor=self.kdeg * (self.R0 - state.receptor) - binding,
            bound=binding - self.kint * state.bound,
        )

    def observe(self, t: Scalar, state: Bound, inputs: Inputs) -> Mapping[str, Scalar]:
        return {"concentration": state.free}


def patients(**spread: list[float]) -> Receptor:
    """As many as values are given; a value is a factor of the usual one."""
    count = max((len(each) for each in spread.values()), default=1)
    return Receptor(
        **{
            name: jnp.asarray(USUAL[name] * np.array(spread.get(name, [1.0] * count)))
            for name in parameters(Receptor)
        }
    )


def schedule(count: int) -> Schedule:
    return schedule_of([RECORDS] * count, Receptor)


def by_radau(model: Receptor, patient: int) -> np.ndarray:
    """The states at `TIMES` by SciPy, tight."""
    one = jax.tree.map(lambda leaf: leaf[patient], model)
    field = _field(one)
    jacobian = jax.jit(jax.jacfwd(field, argnums=1))
    state, found = np.array([0.0, 0.0, 0.0, float(one.R0), 0.0]), []
    begins = [t for t, _ in DOSES]
    for (begin, amount), end in zip(DOSES, [*begins[1:], TIMES[-1]], strict=True):
        state = state + np.array([amount, 0, 0, 0, 0])
        times = [t for t in TIMES if begin < t <= end]
        made = solve_ivp(
            field, (begin, end), state, "Radau", np.union1d(times, end), jac=jacobian,
            rtol=1e-11, atol=1e-13,
        )  # fmt: skip
        found += list(made.y.T[: len(times)])
        state = made.y[:, -1]
    return np.array(found)


def _field(one: Receptor) -> Callable[[float, np.ndarray], jax.Array]:
    nothing = Inputs({"drug": jnp.zeros(())}, {})
    return jax.jit(lambda t, y: jnp.stack(one.rates(t, Bound(*y), nothing)))


def eigenvalue_ratio(model: Receptor) -> float:
    """Fastest to slowest rate, of the first patient without drug."""
    one = jax.tree.map(lambda leaf: leaf[0], model)
    state = jnp.array([0.0, 0.0, 0.0, one.R0, 0.0])
    rates = np.abs(np.linalg.eigvals(jax.jacfwd(_field(one), argnums=1)(0.0, state)))
    return float(rates.max() / rates.min())
