"""Which form each eta takes, decided before anything is traced."""

from collections.abc import Sequence

import numpy as np

from imak_pkpd.population.omega import Form, OmegaBlock, block_forms

INFORMATIVE = 3
"""Observations per random effect of a patient from which `auto` takes deviations.

What decides is the information of one patient's data against omega (Betancourt and
Girolami 2015, Hamiltonian Monte Carlo for hierarchical models); counting observations
stands in for measuring it. 3 is a choice: rich data (theophylline, 11 for 3 effects)
take deviations, sparse data (phenobarbital, 2 for 2) take z.
"""


def resolve_forms(
    omega: OmegaBlock, observations_per_patient: Sequence[int] | np.ndarray
) -> dict[str, Form]:
    """The form of every eta by parameter, "auto" replaced.

    "auto" means deviations where the median patient has at least 3 observations per
    random effect, else z; patients without any are left out. It is decided once,
    before anything is traced.
    """
    effects = max(len(omega.random), 1)
    counts = np.asarray(observations_per_patient)
    seen = counts[counts > 0]
    enough = seen.size > 0 and np.median(seen) >= INFORMATIVE * effects
    default: Form = "deviation" if enough else "z"
    said: dict[str, Form] = {
        name: line.form or omega.form for name, line in omega.deviations.items()
    }
    for block in omega.blocks:
        said |= dict.fromkeys(block.parameters, next(iter(block_forms(omega, block))))
    return {name: default if form == "auto" else form for name, form in said.items()}
