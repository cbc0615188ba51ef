"""`Column`: the cells of one column, and what they are as numbers."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from imak_pkpd.data.number import Fault, Missing, read_number

FLAGS = {"Y": "1", "N": "0"}
"""ADPPK's flags as numbers."""


class Column(NamedTuple):
    """One column: `values` are NaN where `faults` (row -> reason) or missing.

    `levels` names the codes 0, 1, … of a text column; it is empty for numbers.
    """

    cells: Sequence[str]
    values: Float[np.ndarray, " row"]
    faults: Mapping[int, Fault]
    levels: tuple[str, ...]


def number_column(cells: Sequence[str], missing: Missing) -> Column:
    """The column as numbers; whatever is neither number nor missing is a fault."""
    known = {text: read_number(text, missing) for text in set(cells)}
    values = np.array([known[text][0] for text in cells], float)
    faulty = {
        t: fault for t, (_, fault) in known.items() if fault not in (None, "missing")
    }
    faults = {row: faulty[t] for row, t in enumerate(cells) if t in faulty}
    return Column(cells, values, faults, ())


def coded_column(cells: Sequence[str], missing: Missing) -> Column:
    """As numbers, or, where no cell is one, codes 0, 1, … of the sorted texts.

    Decimal commas and infinities are faults, never texts.
    """
    found = {text: read_number(text, missing) for text in set(cells)}
    words = sorted(text for text, (_, fault) in found.items() if fault == "text")
    if len(words) < sum(fault != "missing" for _, fault in found.values()) or not words:
        return number_column(cells, missing)
    codes = {word: float(code) for code, word in enumerate(words)}
    values = np.array([codes.get(text, np.nan) for text in cells], float)
    faults: dict[int, Fault] = {r: "text" for r, t in enumerate(cells) if "\0" in t}
    return Column(cells, values, faults, tuple(words))


def flag_column(cells: Sequence[str], missing: Missing) -> Column:
    """A column of 0 and 1, where Y and N are allowed."""
    column = number_column([FLAGS.get(cell, cell) for cell in cells], missing)
    return column._replace(cells=cells)


def empty_column(rows: int) -> Column:
    """A column that the file does not have."""
    return Column([""] * rows, np.full(rows, np.nan), {}, ())
