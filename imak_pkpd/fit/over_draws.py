"""`over_draws`: a compiled function of many draws, in chunks, on all cores."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from imak_pkpd.solve.cores import on_all_cores

PER_CALL = 64  # draws between two signs of life, at the most
LANES = 512  # patients and draws in one program: their curves stay in the cache


def over_draws(
    run: Callable[[Any], dict[str, Array]],
    sites: Mapping[str, np.ndarray],
    advance: Callable[[int], None] = lambda draws: None,
) -> dict[str, np.ndarray]:
    """A compiled function of all draws, which go to all cores in chunks."""
    draws = len(next(iter(sites.values())))
    size = min(PER_CALL, draws)

    def one(chunk: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = jax.tree.map(np.asarray, run(chunk))
        advance(size)
        return found

    found = on_all_cores(one, list(_chunks(sites, size)))
    return {
        name: np.concatenate([part[name] for part in found])[:draws]
        for name in found[0]
    }


def _chunks(
    sites: Mapping[str, np.ndarray], size: int
) -> Iterator[dict[str, np.ndarray]]:
    """Equal chunks, the last one filled up with its last draw: one program for all."""
    draws = len(next(iter(sites.values())))
    for first in range(0, draws, size):
        place = np.minimum(np.arange(first, first + size), draws - 1)
        yield {name: value[place] for name, value in sites.items()}
