"""The form and the omega of each effect, from what a pilot's mode says of them.

At the mode, the curvature of one patient's data says how well they know each eta; from
that follow the posterior of its omega, and the form that hangs least on it.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from imak_pkpd.fit.metric import laplace_scale
from imak_pkpd.fit.mode import Mode, mode_at
from imak_pkpd.fit.posterior import unsolved
from imak_pkpd.fit.target import Target, constrain_draws
from imak_pkpd.population.form import (
    OMEGAS,
    Information,
    omega_weights,
    posterior_median,
    said_forms,
    smoother_form,
)
from imak_pkpd.population.omega import Form, OmegaBlock

# A patient whose data leave eta as wide as omega says nothing: an SD of 32 omegas.
_LEAST = 1e-3

Forms = Mapping[str, Form]
Values = Mapping[str, np.ndarray]


class Choice(NamedTuple):
    """What the pilot says of one effect."""

    form: Form
    omega: float
    information: Information


def pilot_choices(
    omega: OmegaBlock, forms: Forms, target: Target, args: tuple, mode: Mode
) -> dict[str, Choice]:
    """Of every effect outside the blocks whose omega is sampled.

    A form that the fit file asks for stays; its omega is placed all the same.
    """
    values = values_at(target, args, mode.position)
    variance = _variances(omega, target, mode)
    said, sites = said_forms(omega), _sites(omega, target)
    found = {}
    for name in _single(omega, target):
        sd, site = values[f"omega_{name}"], sites[name]
        own = variance[target.sites[site]] * (sd**2 if site.startswith("z_") else 1.0)
        known = information(values[f"eta_{name}"], sd, own)
        prior = omega.deviations[name].distribution().log_prob(jnp.asarray(OMEGAS))
        weight = omega_weights(known, np.asarray(prior))
        form = smoother_form(known, weight) if said[name] == "auto" else forms[name]
        found[name] = Choice(form, posterior_median(weight), known)
    return found


def information(
    eta: Float[np.ndarray, " patient"],
    omega: Float[np.ndarray, ""],
    variance: Float[np.ndarray, " patient"],
) -> Information:
    """What is left of a normal posterior of eta when N(0, omega) is taken out of it."""
    kappa = np.clip(1.0 - variance / omega**2, _LEAST, 1.0 - _LEAST)
    return Information(eta / kappa, omega * np.sqrt((1.0 - kappa) / kappa))


def _single(omega: OmegaBlock, target: Target) -> list[str]:
    joint = {name for block in omega.blocks for name in block.parameters}
    sampled = [name for name in omega.deviations if f"omega_{name}" in target.sites]
    return [name for name in sampled if name not in joint]


def _variances(
    omega: OmegaBlock, target: Target, mode: Mode
) -> Float[np.ndarray, " d"]:
    """Of the coordinates of patients, what all patients share held; others zero."""
    own = np.zeros(target.size, bool)
    for site in _sites(omega, target).values():
        own[target.sites[site]] = True
    spread = laplace_scale(mode.hessian[np.ix_(own, own)], dense=True)
    variances = np.zeros(target.size)
    variances[own] = np.sum(spread**2, axis=1)
    return variances


def _sites(omega: OmegaBlock, target: Target) -> dict[str, str]:
    """The site of the etas of every effect outside the blocks, and of every block."""
    names = (*omega.deviations, *(block.name for block in omega.blocks))
    return {
        name: site
        for name in names
        for prefix in ("eta", "z", "phi")
        if (site := f"{prefix}_{name}") in target.sites
    }


def restated(
    target: Target,
    onto: Target,
    args: tuple,
    mode: Mode,
    found: Mapping[str, Choice],
) -> Mode:
    """The mode in the coordinates of the chosen forms, at the chosen omegas."""
    values = dict(values_at(target, args, mode.position))
    for name, choice in found.items():
        values |= _moved(name, choice, target)
    own = {n: jnp.asarray(v) for n, v in values.items() if n in onto.sites}
    position = onto.replace(jnp.zeros(onto.size), own, args)
    return mode_at(onto, np.asarray(position), args, mode.potentials)


def _moved(name: str, choice: Choice, target: Target) -> Values:
    """Sites of one effect: its omega, and eta where the data and that omega put it."""
    if f"phi_{name}" in target.sites:
        return {}
    eta = choice.information.shrunk(choice.omega)
    omega = np.asarray(choice.omega)
    return {f"omega_{name}": omega, f"eta_{name}": eta, f"z_{name}": eta / omega}


def values_at(target: Target, args: tuple, position: Float[np.ndarray, " d"]) -> Values:
    """Sites and what is named beside them, where no solve is needed."""
    drawn = constrain_draws(target, args, position[None, None], unsolved)
    return {name: value[0, 0] for name, value in drawn.items()}
