"""Would another utility, or another prior, have chosen otherwise?"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from imak_pkpd.decide.evaluate import CHANGES
from imak_pkpd.decide.table import Table
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.weights import effective
from imak_pkpd.model import AnyModel, parameters, to_scale

POWERS = (0.5, 2.0)
"""Of a prior density: its variance is doubled, or halved (for a normal)."""
TOO_FEW = 0.1  # of the draws: with fewer effective ones nothing is said


class Otherwise(NamedTuple):
    """One change: the design that would be best then, and what keeping ours costs.

    `loss` is in the changed utility; `best` is None where too few draws tell.
    """

    change: str
    best: int | None
    loss: float


def other_utilities(table: Table, chosen: int) -> Iterator[Otherwise]:
    """Every summand of the utility at half and at twice its weight."""
    for place, term in enumerate(table.block.worth.terms):
        for change in CHANGES:
            name = f"utility[{place}]*{change:g}"
            value = np.where(table.holds, table.means[name].mean((0, 1)), -np.inf)
            best = int(np.argmax(value))
            text = f"{term.words} times {change:g}"
            yield Otherwise(text, best, float(value[best] - value[chosen]))


def other_priors(
    table: Table,
    spec: FitSpec,
    model: type[AnyModel],
    sites: Mapping[str, Float[np.ndarray, " draw"]],
    chosen: int,
) -> Iterator[Otherwise]:
    """Every prior of theta raised to a power, by weights of the draws.

    Power-scaling: Kallioinen et al. 2024, Stat Comput 34:57. `sites` are those of the
    table's draws, in their order.
    """
    utility = table.flat("utility")
    for name, info in parameters(model).items():
        block = spec.theta[name]
        if not block.sampled:
            continue
        prior = block.distribution(info.scale, to_scale)
        log_prior = np.asarray(prior.log_prob(jnp.asarray(sites[f"theta_{name}"])))
        for power in POWERS:
            log_weight = (power - 1.0) * log_prior
            text = f"prior of {name} to the power {power:g}"
            if effective(log_weight) < TOO_FEW * len(log_weight):
                yield Otherwise(text, None, np.nan)
                continue
            weight = np.exp(log_weight - log_weight.max())
            value = np.where(table.holds, weight @ utility / weight.sum(), -np.inf)
            best = int(np.argmax(value))
            yield Otherwise(text, best, float(value[best] - value[chosen]))
