"""Random effects of a new patient, and what is the patient's own among the sites.

`effect_sites` makes them from standard normals (form z); `informed_forms` is how they
are sampled where samples say much of the patient.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from imak_pkpd.population import OmegaBlock
from imak_pkpd.population.omega import Form


def effect_sites(
    omega: OmegaBlock, normals: Float[np.ndarray, "point effect"], patients: int = 1
) -> dict[str, np.ndarray]:
    """The sites z_p and z_block, [point, patient, ...], alike in all patients.

    One column of `normals` for each of `omega.random`, in that order.
    """
    column = dict(zip(omega.random, normals.T, strict=True))
    joint = {name for block in omega.blocks for name in block.parameters}
    own = {f"z_{n}": column[n] for n in omega.random if n not in joint}
    own |= {
        f"z_{block.name}": np.stack([column[n] for n in block.parameters], -1)
        for block in omega.blocks
    }
    return {name: np.stack([each] * patients, 1) for name, each in own.items()}


def informed_forms(omega: OmegaBlock) -> Mapping[str, Form]:
    """Centred effects: samples speak of theta + eta, which then stays as it is while
    theta moves."""
    return dict.fromkeys(omega.random, "centred")
