"""How tables look on a terminal, and in a file that a terminal's output went to."""

import sys
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

UNWATCHED = 200  # columns where there is no terminal: room enough for every table


def console(stderr: bool = False) -> Console:
    """A console that colours a terminal only and never breaks a line in a file."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else UNWATCHED
    return Console(file=stream, width=width, highlight=False, markup=False)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table; the first column is text, the others are right-aligned numbers."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, heading in enumerate(headings):
        made.add_column(
            heading, justify="right" if place else "left", no_wrap=not place
        )
    for row in rows:
        made.add_row(*row)
    return made
