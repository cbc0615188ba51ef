"""Bucket sizes: arrays are padded to few lengths, so similar data share a program."""

from collections.abc import Sequence

import numpy as np


def bucket(length: int) -> int:
    """The smallest of 1, 2, …, 8, then 8·2^k·(1, 9/8, …, 15/8) that holds `length`."""
    if length <= 8:
        return max(length, 1)
    step = 2 ** max(int(np.ceil(np.log2(length))) - 4, 0)
    return int(-(-length // step) * step)


def pad(
    rows: Sequence[np.ndarray], length: int, fill: float, dtype: type = np.float64
) -> np.ndarray:
    """Rows of unequal length as one array, shape [len(rows), length, ...]."""
    tail = rows[0].shape[1:] if rows else ()
    padded = np.full((len(rows), length, *tail), fill, dtype)
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = row
    return padded
