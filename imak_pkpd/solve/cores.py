"""`on_all_cores`: pieces of work that one compiled function does, in threads."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor


def on_all_cores[Piece, Found](
    one: Callable[[Piece], Found], pieces: Sequence[Piece]
) -> list[Found]:
    """`one` of every piece, in their order; compiled once, before the threads."""
    first = one(pieces[0])
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return [first, *pool.map(one, pieces[1:])]
