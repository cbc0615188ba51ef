"""`shard_subjects`: the subjects of a fit spread over several devices.

Each device solves its share; the sum over subjects is all that they exchange.
"""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec


def shard_subjects[Schedule, Grid](
    schedule: Schedule, grid: Grid, devices: Sequence[jax.Device]
) -> tuple[Schedule, Grid]:
    """Schedule and mesh placed on the devices, equally many subjects on each.

    The subject axis, which every array has first, is filled up with copies of the first
    subject that observe nothing: they belong to its patient and add nothing to a
    density or its gradient. A mesh of None stays None.
    """
    subjects = jax.tree.leaves(schedule)[0].shape[0]
    wanted = -(-subjects // len(devices)) * len(devices)
    rows = np.where(np.arange(wanted) < subjects, np.arange(wanted), 0)
    padded, meshed = jax.tree.map(
        lambda leaf: jnp.asarray(leaf)[rows], (schedule, grid)
    )
    padded = eqx.tree_at(
        lambda s: s.observations.mask,
        padded,
        replace_fn=lambda mask: mask.at[subjects:].set(False),
    )
    placed: tuple[Any, Any] = jax.device_put((padded, meshed), _by_subject(devices))
    return placed


def _by_subject(devices: Sequence[jax.Device]) -> NamedSharding:
    axis = jax.sharding.Mesh(np.array(devices), ("subject",))
    return NamedSharding(axis, PartitionSpec("subject"))
