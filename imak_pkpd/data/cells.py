"""`Cells`: the patient file as text, every cell with the physical line of its row.

Nothing is interpreted here, and nothing is refused: what is wrong with the file's form
is kept for the rules of form.
"""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One row of the file; `line` is where it begins."""

    line: int
    cells: list[str]


@dataclass(frozen=True)
class Cells:
    """Header and rows as text.

    `broken` is the line and reason at which reading stopped, `encoding` a note if the
    text is not UTF-8.
    """

    header: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    broken: tuple[int, str] | None = None
    encoding: str | None = None
    delimiter: str = field(default=",")

    @property
    def sound_rows(self) -> list[Row]:
        """The rows that have as many cells as the header."""
        return [row for row in self.rows if len(row.cells) == len(self.header)]


def read_csv(content: bytes) -> Cells:
    """The cells of a CSV file: BOM, mixed line ends, quotes and blank lines understood.

    Cells are stripped of outer blanks; blank lines are no rows.
    """
    text, encoding = decode(content)
    rows, broken = _read_rows(text) if text.strip() else ([], None)
    if not rows:
        return Cells(broken=broken, encoding=encoding)
    header = tuple(rows[0].cells)
    return Cells(header, tuple(rows[1:]), broken, encoding, _delimiter(rows[0].cells))


def decode(content: bytes) -> tuple[str, str | None]:
    """The text, and a note if it had to be read as something other than UTF-8."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace"), None
    try:
        return content.decode("utf-8-sig"), None
    except UnicodeDecodeError as error:
        return content.decode("latin-1"), f"byte {error.start} is not UTF-8"


def _read_rows(text: str) -> tuple[list[Row], tuple[int, str] | None]:
    reader = csv.reader(
        io.StringIO(text, newline=""), strict=True, skipinitialspace=True
    )
    rows: list[Row] = []
    line = 1
    try:
        for cells in reader:
            if cells:
                rows.append(Row(line, [cell.strip() for cell in cells]))
            line = reader.line_num + 1
    except csv.Error as error:
        return rows, (line, str(error))
    return rows, None


def _delimiter(header: list[str]) -> str:
    """What separates the header's names, if it is not a comma."""
    if len(header) > 1:
        return ","
    return next((mark for mark in ";\t|" if mark in header[0]), ",")


def read_cells(path: Path, content: bytes) -> Cells:
    """The cells of a file, by its ending: SAS files through pyreadstat, else CSV."""
    if path.suffix.lower() in (".xpt", ".sas7bdat"):
        from imak_pkpd.data.sas import read_sas

        return read_sas(path)
    return read_csv(content)
