"""The point at which every peer is timed: prior medians, SDs of 0.3, small effects."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

# medians of the typical values, in the order of the peers' vector
MEDIANS = {
    "rho": 2.5, "dlt": 0.4, "kap": 0.3, "pH": 0.8, "rH": 0.5, "kT": 1.0, "gT": 0.1,
}  # fmt: skip
VARYING = ("rho", "kap", "pH", "kT")
SUBJECTS = 33
OMEGA = SIGMA = 0.3


class StartValues(NamedTuple):
    """Log typical values, SDs, and z by parameter [subject]."""

    typical: dict[str, jax.Array]
    omega: jax.Array
    sigma: jax.Array
    z: dict[str, jax.Array]


def start_values() -> StartValues:
    """The same numbers for every peer."""
    z = 0.3 * jax.random.normal(jax.random.PRNGKey(5), (SUBJECTS, len(VARYING)))
    return StartValues(
        typical={name: jnp.log(median) for name, median in MEDIANS.items()},
        omega=jnp.asarray(OMEGA),
        sigma=jnp.asarray(SIGMA),
        z={name: z[:, i] for i, name in enumerate(VARYING)},
    )
