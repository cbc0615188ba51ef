"""The NumPyro sites of [omega]: SDs and correlations of the random effects."""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpyro
from jaxtyping import Array, Float

from imak_pkpd.population.omega import OmegaBlock
from imak_pkpd.population.prior import sample_number


class Spread(NamedTuple):
    """One draw of [omega].

    `sd`: SD of eta by parameter, a number or one per subject (from a column).
    `factor`: by block name, the Cholesky factor of the block's covariance.
    """

    sd: dict[str, Float[Array, "*subject"]]
    factor: dict[str, Float[Array, "k k"]]


def sample_omega(
    omega: OmegaBlock, columns: Mapping[str, Float[Array, "subject"]]
) -> Spread:
    """The SDs and covariance factors, from sites `omega_p` and `cholesky_block`.

    Also named: `corr_p_q` of every pair in a block, and `omega_p` in a covariance.
    """
    sd = {
        name: sample_number(f"omega_{name}", line, columns)
        for name, line in omega.deviations.items()
    }
    factor: dict[str, Float[Array, "k k"]] = {}
    for block in omega.correlation:
        cholesky = numpyro.sample(*block.site())
        scale = jnp.stack([sd[name] for name in block.parameters])
        factor[block.name] = scale[:, None] * cholesky
        _name_correlations(block.parameters, cholesky)
    for joint in omega.covariance:
        cholesky = numpyro.sample(*joint.site())
        scale = jnp.linalg.norm(cholesky, axis=1)
        factor[joint.name] = cholesky
        for name, each in zip(joint.parameters, scale, strict=True):
            sd[name] = numpyro.deterministic(f"omega_{name}", each)
        _name_correlations(joint.parameters, cholesky / scale[:, None])
    return Spread(sd, factor)


def _name_correlations(names: tuple[str, ...], cholesky: Float[Array, "k k"]) -> None:
    correlation = cholesky @ cholesky.T
    for column in range(len(names)):
        for row in range(column + 1, len(names)):
            site = f"corr_{names[column]}_{names[row]}"
            numpyro.deterministic(site, correlation[row, column])
