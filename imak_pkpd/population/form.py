"""Which form each eta takes: a first one by counting, a better one from a pilot.

What decides is what one patient's data say against omega (Betancourt and Girolami 2015,
Hamiltonian Monte Carlo for hierarchical models): sampled as a deviation, eta narrows
into a funnel where omega goes to 0; sampled as z, it bends where the data pin omega·z.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from imak_pkpd.population.omega import Form, OmegaBlock, block_forms

INFORMATIVE = 3
"""Observations per random effect of a patient from which `auto` takes deviations.

A choice, made before anything is solved: rich data (theophylline, 11 for 3 effects)
take deviations, sparse data (phenobarbital, 2 for 2) take z.
"""

OMEGAS = np.geomspace(1e-4, 1e2, 301)
"""Where the posterior of an omega is computed: steps of 5 %."""


def resolve_forms(
    omega: OmegaBlock, observations_per_patient: Sequence[int] | np.ndarray
) -> dict[str, Form]:
    """The form of every eta by parameter, "auto" replaced by counting.

    "auto" means deviations where the median patient has at least 3 observations per
    random effect, else z; patients without any are left out. It is decided once,
    before anything is traced.
    """
    effects = max(len(omega.random), 1)
    counts = np.asarray(observations_per_patient)
    seen = counts[counts > 0]
    enough = seen.size > 0 and np.median(seen) >= INFORMATIVE * effects
    default: Form = "deviation" if enough else "z"
    said = said_forms(omega)
    return {name: default if form == "auto" else form for name, form in said.items()}


def said_forms(omega: OmegaBlock) -> dict[str, Form]:
    """The form of every eta as the fit file has it, "auto" included."""
    said: dict[str, Form] = {
        name: line.form or omega.form for name, line in omega.deviations.items()
    }
    for block in omega.blocks:
        said |= dict.fromkeys(block.parameters, next(iter(block_forms(omega, block))))
    return said


class Information(NamedTuple):
    """Where each patient's data alone put eta, and the SD of that."""

    value: Float[np.ndarray, " patient"]
    sd: Float[np.ndarray, " patient"]

    def shrunk(self, omega: float) -> Float[np.ndarray, " patient"]:
        """eta by patient once N(0, omega) has its say."""
        return self.value * omega**2 / (omega**2 + self.sd**2)


def omega_weights(
    information: Information, log_prior: Float[np.ndarray, " omega"]
) -> Float[np.ndarray, " omega"]:
    """The posterior of omega over `OMEGAS`, where each value ~ N(0, omega² + sd²)."""
    variance = OMEGAS[:, None] ** 2 + information.sd**2
    fit = -0.5 * np.sum(np.log(variance) + information.value**2 / variance, axis=1)
    log_weight = log_prior + np.log(OMEGAS) + fit  # omegas are spaced by their logs
    weight = np.exp(log_weight - log_weight.max())
    return weight / weight.sum()


def posterior_median(weight: Float[np.ndarray, " omega"]) -> float:
    """The median of `omega_weights`."""
    place = int(np.searchsorted(np.cumsum(weight), 0.5))
    return float(OMEGAS[min(place, len(OMEGAS) - 1)])


def unevenness(
    form: Form, information: Information, weight: Float[np.ndarray, " omega"]
) -> float:
    """How much the place and the width of what is sampled change with omega.

    Given omega, the deviation is normal with mean κ·value and variance κ·sd², where
    κ = omega²/(omega² + sd²), and z is that over omega. The mean over patients of the
    variance of the log width, plus the variance of the place in widths, over the
    posterior of omega; 0: the geometry does not hang on omega at all.
    """
    kappa = OMEGAS[:, None] ** 2 / (OMEGAS[:, None] ** 2 + information.sd**2)
    unit = OMEGAS[:, None] if form == "z" else 1.0
    width = np.sqrt(kappa) * information.sd / unit
    place = kappa * information.value / unit
    moved = _variance(place, weight) / (weight @ width**2)
    return float(np.mean(_variance(np.log(width), weight) + moved))


def smoother_form(
    information: Information, weight: Float[np.ndarray, " omega"]
) -> Form:
    """z or deviation, whichever hangs less on omega."""
    deviation = unevenness("deviation", information, weight)
    return "deviation" if deviation < unevenness("z", information, weight) else "z"


def _variance(
    x: Float[np.ndarray, "omega patient"], weight: Float[np.ndarray, " omega"]
) -> Float[np.ndarray, " patient"]:
    return weight @ (x - weight @ x) ** 2
