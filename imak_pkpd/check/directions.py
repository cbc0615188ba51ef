"""Combinations of parameters: which the facts inform, and which only together.

With all parameters in SDs of their (independent) priors the prior is the unit matrix;
an eigenvalue of the posterior covariance below 1 is a direction that was learned.
Noise alone spreads the eigenvalues of n draws in d dimensions down to (1 - √(d/n))²
(Marchenko & Pastur 1967, Math USSR Sb 1:457).
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from imak_pkpd.check.contraction import ParameterDraws

LOADINGS = 5
"""Parameters named for a direction, the largest weights first."""

PER_PARAMETER = 4.0
"""Effective draws per parameter that a covariance needs here."""

PAIR_NOISE = 4.0
"""SEs of a correlation that a pair must exceed: a few thousand pairs are looked at."""


class Direction(NamedTuple):
    """One eigenvector: its contraction, shift in prior SDs, and largest weights."""

    contraction: float
    shift: float
    loadings: Mapping[str, float]
    beyond_noise: bool


class Pair(NamedTuple):
    """Two parameters and their posterior correlation."""

    one: str
    other: str
    correlation: float
    beyond_noise: bool


def enough(drawn: ParameterDraws) -> bool:
    """Whether there are draws enough: else noise alone looks like knowledge."""
    return drawn.size >= PER_PARAMETER * len(drawn.names)


def directions(drawn: ParameterDraws) -> list[Direction]:
    """All directions, the best known first."""
    values, vectors = np.linalg.eigh(drawn.covariance)
    edge = noise_edge(drawn)
    return [
        Direction(
            float(1.0 - value),
            float(abs(vector @ drawn.mean)),
            _loadings(drawn, vector),
            bool(value < edge),
        )
        for value, vector in zip(values, vectors.T, strict=True)
    ]


def noise_edge(drawn: ParameterDraws) -> float:
    """The smallest eigenvalue that noise explains, with that of the prior's SDs."""
    share = min(len(drawn.names) / drawn.size, 1.0)
    return float((1 - np.sqrt(share)) ** 2 * (1 - np.sqrt(2 / len(drawn.prior))))


def correlations(drawn: ParameterDraws, most: int) -> list[Pair]:
    """The pairs with the largest posterior correlation."""
    spread = np.sqrt(np.diag(drawn.covariance))
    matrix = drawn.covariance / np.outer(spread, spread)
    first, second = np.triu_indices(len(drawn.names), 1)
    found = matrix[first, second]
    limit = PAIR_NOISE / np.sqrt(drawn.size)
    return [
        Pair(
            drawn.names[first[k]],
            drawn.names[second[k]],
            float(found[k]),
            bool(abs(found[k]) > limit),
        )
        for k in np.argsort(-np.abs(found))[:most]
    ]


def _loadings(drawn: ParameterDraws, vector: np.ndarray) -> dict[str, float]:
    """The largest weights; the sign is that of the shift, upwards."""
    upwards = vector if vector @ drawn.mean >= 0 else -vector
    order = np.argsort(-np.abs(upwards))[:LOADINGS]
    return {drawn.names[k]: float(upwards[k]) for k in order}
