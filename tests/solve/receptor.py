"""Patients of the stiff reference model `receptor`, and their states by SciPy."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.model import Inputs, parameters
from tests.reference_models.receptor import Bound, Receptor
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
