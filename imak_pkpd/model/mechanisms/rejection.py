"""Host against graft: naive host cells are primed, divide, and become killers.

Cells of the whole body, rates in 1/d. The scheme is this project's: no fitted model of
a host that rejects infused cells was found in the literature.
"""

from typing import NamedTuple

import jax.numpy as jnp

from imak_pkpd.model.abstract import Scalar


class Responders(NamedTuple):
    """d naive/dt, d primed/dt and d killers/dt of host cells, cells/d."""

    naive: Scalar
    primed: Scalar
    killers: Scalar


def host_response(
    naive: Scalar, primed: Scalar, killers: Scalar, signal: Scalar, loss: Scalar, *,
    priming: Scalar, division: Scalar, maturation: Scalar, death: Scalar,
) -> Responders:  # fmt: skip
    """A0' = -p s A0 - l A0, A1' = p s A0 + (rho s - k) A1 - l A1, A2' = k A1 - d A2 - l A2.

    `signal` s is D/(D50 + D), the share of full antigen; `loss` l is what veto and
    drugs take from all three, per cell and day.
    """  # noqa: E501
    turned = priming * signal * naive
    matured = maturation * primed
    return Responders(
        naive=-turned - loss * naive,
        primed=turned + division * signal * primed - matured - loss * primed,
        killers=matured - death * killers - loss * killers,
    )


def rejection(
    killers: Scalar, donor: Scalar, *, greatest: Scalar, half: Scalar
) -> Scalar:
    """kappa A2/(h + A2 + D), what a donor cell suffers per day.

    Both cells saturate it: a killer takes at most kappa cells per day (2-16: Halle et
    al. 2016, Immunity 44:233), a donor cell is killed at most at rate kappa.
    """
    seen = jnp.maximum(killers, 0.0)  # a solver's negative killers feed no donor cell
    return greatest * seen / (half + seen + jnp.maximum(donor, 0.0))


def veto(
    alloreactive: Scalar, primed: Scalar, killers: Scalar, *, greatest: Scalar,
    half: Scalar,
) -> Scalar:  # fmt: skip
    """kappa_G D_A/(h + D_A + A1 + A2): donor T cells kill those who reject them."""
    others = jnp.maximum(primed, 0.0) + jnp.maximum(killers, 0.0)
    seen = jnp.maximum(alloreactive, 0.0)
    return greatest * seen / (half + seen + others)
