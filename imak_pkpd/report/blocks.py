"""What a section is made of: prose, tables, figures, listings and checks not run.

A section lists functions from `Run` to blocks. One that lacks what it needs raises
`run.MissingError`; the page then says "not run", with the reason, in its place.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from imak_pkpd.report.number import number
from imak_pkpd.report.run import MissingError, Run

MOST_ROWS = 60
"""Longer tables are cut on the page; their CSV files are whole."""

Light = Literal["pass", "attention", "fail", "not run", "note"]


@dataclass(frozen=True)
class Prose:
    """One paragraph; `light` colours it."""

    kind: ClassVar[str] = "prose"
    text: str
    light: Light | None = None


@dataclass(frozen=True)
class Table:
    """Rows by column heading, also written unrounded as `name`.csv.

    All rows have the same headings. A cell is text or a number, which is shown with
    `digits` significant digits.
    `lights` marks rows, in their order; `folded` shows the caption only. The page
    shows the first `MOST_ROWS`.
    """

    kind: ClassVar[str] = "table"
    name: str
    caption: str
    rows: Sequence[Mapping[str, object]]
    lights: Sequence[Light] = ()
    digits: int = 3
    folded: bool = False

    @property
    def columns(self) -> list[str]:
        """The headings."""
        return list(self.rows[0]) if self.rows else []

    @property
    def shown(self) -> list[list[tuple[str, bool]]]:
        """Cells as printed, each with whether it is a number."""
        return [
            [
                (number(cell, self.digits), not isinstance(cell, str))
                for cell in row.values()
            ]
            for row in self.rows[:MOST_ROWS]
        ]


@dataclass(frozen=True)
class Figure:
    """An inline SVG with its caption; `alt` says in words what it shows."""

    kind: ClassVar[str] = "figure"
    name: str
    svg: str
    alt: str
    caption: str
    width: int


@dataclass(frozen=True)
class Gallery:
    """Figures side by side, wrapping."""

    kind: ClassVar[str] = "gallery"
    figures: Sequence[Figure]


@dataclass(frozen=True)
class Listing:
    """Text as it stands in a file, folded away under its title."""

    kind: ClassVar[str] = "listing"
    title: str
    text: str
    folded: bool = True


@dataclass(frozen=True)
class NotRun:
    """A check that could not be made, and why."""

    kind: ClassVar[str] = "not-run"
    what: str
    reason: str


Block = Prose | Table | Figure | Gallery | Listing | NotRun


@dataclass(frozen=True)
class Part:
    """One piece of a section: its title and how it is made."""

    title: str
    make: Callable[[Run], Iterable[Block]]

    def made(self, run: Run) -> list[Block]:
        """All blocks of a run; what could not be made is listed instead."""
        made: list[Block] = []
        try:
            made.extend(self.make(run))
        except MissingError as missing:
            made.append(NotRun(self.title, str(missing)))
        # whatever a half-written or strange run brings, the other parts are still shown
        except Exception as error:
            first = next(iter(str(error).splitlines()), "")
            reason = run.labels.text(f"{type(error).__name__}: {first}")
            made.append(NotRun(self.title, f"it could not be made ({reason})"))
        return made


@dataclass(frozen=True)
class Section:
    """A chapter of the report before it is made."""

    anchor: str
    title: str
    parts: Sequence[Part]


@dataclass(frozen=True)
class Made:
    """A chapter of the report, ready for the template."""

    anchor: str
    title: str
    parts: Sequence[tuple[str, Sequence[Block]]] = field(default_factory=tuple)

    @property
    def not_run(self) -> list[NotRun]:
        """The checks of this chapter that could not be made."""
        blocks = [block for _, made in self.parts for block in made]
        return [block for block in blocks if isinstance(block, NotRun)]
