"""`map_together`: one after the other, but so many at once."""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import PyTree


def map_together(one: Callable[[Any], Any], each: PyTree, most: int) -> Any:
    """`one` of every row of `each`, at most `most` rows at once, by `vmap`.

    By equal parts where there are some of more than half of `most`: what is left over
    would be a second program, which takes as long to compile as the first.
    """
    rows = len(jax.tree.leaves(each)[0])
    # One after the other is no `vmap`: a `cond` on the row then skips what it can.
    together = part_of(rows, most)
    return jax.lax.map(one, each, batch_size=together if together > 1 else None)


def part_of(rows: int, most: int) -> int:
    """The largest part that divides `rows` and is no larger than `most`; that itself
    where all such parts are half as large or less."""
    most = min(max(most, 1), rows)
    part = max(n for n in range(1, most + 1) if rows % n == 0)
    return part if 2 * part > most else most
