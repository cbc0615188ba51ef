"""Prior medians of the science's parameters, T^-1(location).

The column `median` is rounded otherwise, by up to 5e-5.
"""

from pathlib import Path

import jax.numpy as jnp
import pandas as pd

from imak_pkpd.model import from_scale

FAMILIES = {"lognormal": "log", "logitnormal": "logit", "normal": "identity"}


def prior_medians(shared: Path) -> dict[str, float]:
    """By name, from priors.csv."""
    priors = pd.read_csv(shared / "science" / "priors.csv").set_index("name")
    return {
        name: float(from_scale(jnp.asarray(row.location), FAMILIES[row.prior_family]))
        for name, row in priors.iterrows()
    }
