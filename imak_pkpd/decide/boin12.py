"""BOIN12's admissibility and desirability of a design, on draws of the posterior.

In place of the paper's beta posterior of counts stand the draws of the model's: at
each, p_T, q_E and the mean utility are means over the cohort's patients at that design.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from imak_pkpd.choice import Boin12Block
from imak_pkpd.decide.optimum import standard_error

INDEPENDENT = (
    "Within a patient, toxicity and efficacy are taken as independent given the "
    "patient's own chances of both; over the cohort they depend on each other as far "
    "as dose, parameters and covariates move both chances."
)


class Scored(NamedTuple):
    """One design by BOIN12. Shares are of draws of the posterior.

    `utility` is the mean over patients and draws (0 to 100); `toxic` the share where
    p_T > phi_t, `futile` where q_E < phi_e, `desirability` where the mean utility is
    above u_b, with its Monte Carlo error.
    """

    utility: float
    toxic: float
    futile: float
    desirability: float
    desirability_se: float
    admissible: bool


def scored(
    block: Boin12Block,
    toxicity: Float[np.ndarray, "batch draw"],
    efficacy: Float[np.ndarray, "batch draw"],
    utility: Float[np.ndarray, "batch draw"],
) -> Scored:
    """BOIN12 of a design whose means over patients are these."""
    toxic = float(np.mean(toxicity > block.phi_t))
    futile = float(np.mean(efficacy < block.phi_e))
    above = utility > block.benchmark
    return Scored(
        float(utility.mean()),
        toxic,
        futile,
        float(above.mean()),
        standard_error(above.mean(1)),
        toxic < block.c_t and futile < block.c_e,
    )


def ranks(scores: Sequence[Scored | None]) -> list[int | None]:
    """1 for the most desirable design, None for one that is not admissible.

    Designs of one desirability are ranked by their mean utility: where no draw, or
    every draw, is above u_b the desirability alone tells nothing.
    """
    keys = [
        (each.desirability, each.utility) if each and each.admissible else None
        for each in scores
    ]
    order = sorted({key for key in keys if key is not None}, reverse=True)
    return [None if key is None else 1 + order.index(key) for key in keys]


def rule_words(block: Boin12Block) -> Iterator[str]:
    """What makes a design admissible."""
    for event, most in zip(events(block), (block.c_t, block.c_e), strict=True):
        yield f"{event} < {most:g}"


def events(block: Boin12Block) -> tuple[str, str]:
    """Of what the shares `toxic` and `futile` of a `Scored` are the chances."""
    return (
        f"P({block.toxicity} > {block.phi_t:g})",
        f"P({block.efficacy} < {block.phi_e:g})",
    )
