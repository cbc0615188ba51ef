"""What all subjects have in common has one row, and is computed once.

Virtual patients of one design are treated at the same times, on the same steps: what
a model makes of time alone (a drug given as a function of it) is then no work of every
patient.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.model import AnyModel
from imak_pkpd.solve.mesh import Mesh
from imak_pkpd.solve.together import map_together

MANY = 256  # subjects from which on a CPU solves them in blocks
TOGETHER = 64
"""Subjects of a block: what their steps read and write stays in a core's cache. A
gradient of 3,300 takes 25 % less CPU and half the memory than in one piece."""


def with_shared(schedule: Schedule, mesh: Mesh) -> tuple[Schedule, Mesh]:
    """The same, where every array whose rows are all equal is its first row alone.

    Not what says who a row is: from that the subjects are told, and their parameters.
    """
    once = jax.tree.map(_once, schedule)
    who = lambda s: (s.patient, s.covariates.value)  # noqa: E731
    return eqx.tree_at(who, once, who(schedule)), jax.tree.map(_once, mesh)


def _once(rows: Any) -> np.ndarray:
    rows = np.asarray(rows)
    first = rows[:1]
    same = np.array_equal(
        rows, np.broadcast_to(first, rows.shape), equal_nan=rows.dtype.kind == "f"
    )
    return first if same else rows


def in_full(schedule: Schedule) -> Schedule:
    """The same with a row of its own for every subject."""
    many = schedule.subjects
    return jax.tree.map(
        lambda rows: np.broadcast_to(rows, (many, *rows.shape[1:])), schedule
    )


def of_each(
    one: Callable[..., Any], model: AnyModel, schedule: Schedule, mesh: Mesh | None
) -> Any:
    """`one` of (model, schedule, mesh) of every subject, by `vmap`.

    `model` has leaves [subject, ...]; a scalar leaf is shared, as is a single row of
    the others.
    """
    many = schedule.subjects
    rows, grid = (_per_subject(tree, many) for tree in (schedule, mesh))
    axes = (batched(model), _axes(schedule, many), _axes(mesh, many))
    return jax.vmap(one, in_axes=axes, axis_size=many)(model, rows, grid)


def of_many(
    one: Callable[..., Any], model: AnyModel, schedule: Schedule, mesh: Mesh | None
) -> Any:
    """The same, block after block where subjects are many and share no row.

    On several devices each has its own subjects, on a GPU the more at once the better.
    """
    many = schedule.subjects
    rows = jax.tree.leaves((schedule, mesh))
    apart = all(len(leaf) == many for leaf in rows)
    if many < MANY or not apart or not _on_one_cpu():
        return of_each(one, model, schedule, mesh)
    own = jax.tree.map(lambda x: x if jnp.ndim(x) else jnp.full(many, x), model)
    each = (own, schedule, mesh)
    return map_together(lambda subject: one(*subject), each, TOGETHER)


def _on_one_cpu() -> bool:
    return jax.default_backend() == "cpu" and jax.device_count() == 1


def batched(model: AnyModel) -> AnyModel:
    """The `vmap` axes of a model: its scalars are shared, the rest is by subject."""
    return jax.tree.map(lambda leaf: 0 if jnp.ndim(leaf) else None, model)


def _axes(tree: PyTree, subjects: int) -> PyTree:
    return jax.tree.map(lambda leaf: 0 if len(leaf) == subjects else None, tree)


def _per_subject(tree: PyTree, subjects: int) -> PyTree:
    return jax.tree.map(lambda x: x if len(x) == subjects else jnp.asarray(x[0]), tree)
