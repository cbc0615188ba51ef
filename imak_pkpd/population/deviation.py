"""The NumPyro sites of eta, one deviation per patient, in each form.

z          z_p ~ N(0, 1), eta_p = omega_p z_p
deviation  eta_p ~ N(0, omega_p)
centred    phi_p ~ N(mean, omega_p) on the parameter's scale, eta_p = phi_p - mean
A block samples its etas together, as z_block, eta_block or phi_block, [patient, k].
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dists
from jaxtyping import Array, Float, Int

from imak_pkpd.population.omega import Form, OmegaBlock
from imak_pkpd.population.spread import Spread


class Patients(NamedTuple):
    """Who is who: `number` patients, and the patient of every subject."""

    number: int
    of_subject: Int[Array, "subject"]

    def gather(self, values: Float[Array, "#subject"]) -> Float[Array, "patient"]:
        """One value per patient from values that its subjects share.

        A subject whose index is out of range (padding) is left out.
        """
        shared = jnp.broadcast_to(values, self.of_subject.shape)
        return jnp.zeros(self.number, shared.dtype).at[self.of_subject].set(shared)


def sample_etas(
    omega: OmegaBlock,
    forms: Mapping[str, Form],
    spread: Spread,
    means: Mapping[str, Float[Array, "#subject"]],
    patients: Patients,
) -> dict[str, Float[Array, "patient"]]:
    """eta by parameter; `means` holds the means of the centred ones."""
    joint = {name for block in omega.blocks for name in block.parameters}
    etas: dict[str, Float[Array, patient]] = {}
    with numpyro.plate("patient", patients.number):
        for name in omega.deviations:
            if name in joint:
                continue
            if forms[name] == "centred":
                location = patients.gather(means[name])
                etas[name] = _centred(name, location, spread.sd[name])
            else:
                etas[name] = _single(name, forms[name], spread.sd[name])
        for block in omega.blocks:
            form = forms[block.parameters[0]]
            factor = spread.factor[block.name]
            if form == "centred":
                centre = jnp.stack(
                    [patients.gather(means[n]) for n in block.parameters]
                )
                together = _centred_together(block.name, centre.T, factor)
            else:
                together = _together(block.name, form, factor)
            for place, name in enumerate(block.parameters):
                etas[name] = numpyro.deterministic(f"eta_{name}", together[:, place])
    return etas


def given_etas(
    omega: OmegaBlock, spread: Spread, normals: Float[Array, "patient effect"]
) -> dict[str, Float[Array, "patient"]]:
    """eta by parameter from standard normals, one column each, as in `random`."""
    z = dict(zip(omega.random, normals.T, strict=True))
    etas = {name: spread.sd[name] * z[name] for name in omega.deviations}
    for block in omega.blocks:
        own = jnp.stack([z[name] for name in block.parameters], -1)
        together = own @ spread.factor[block.name].T
        etas |= dict(zip(block.parameters, together.T, strict=True))
    return etas


def _single(
    name: str, form: Form, sd: Float[Array, "*#patient"]
) -> Float[Array, "patient"]:
    if form == "deviation":
        return numpyro.sample(f"eta_{name}", dists.Normal(0.0, sd))
    z = numpyro.sample(f"z_{name}", dists.Normal(0.0, 1.0))
    return numpyro.deterministic(f"eta_{name}", sd * z)


def _centred(
    name: str, mean: Float[Array, "patient"], sd: Float[Array, "*#patient"]
) -> Float[Array, "patient"]:
    phi = numpyro.sample(f"phi_{name}", dists.Normal(mean, sd))
    return numpyro.deterministic(f"eta_{name}", phi - mean)


def _together(
    block: str, form: Form, factor: Float[Array, "k k"]
) -> Float[Array, "patient k"]:
    size = factor.shape[0]
    if form == "deviation":
        prior = dists.MultivariateNormal(jnp.zeros(size), scale_tril=factor)
        return numpyro.sample(f"eta_{block}", prior)
    z = numpyro.sample(f"z_{block}", dists.Normal(jnp.zeros(size), 1.0).to_event(1))
    return z @ factor.T


def _centred_together(
    block: str, mean: Float[Array, "patient k"], factor: Float[Array, "k k"]
) -> Float[Array, "patient k"]:
    prior = dists.MultivariateNormal(mean, scale_tril=factor)
    return numpyro.sample(f"phi_{block}", prior) - mean
