"""`Finding`: one thing a rule says about the patient file.

`show_findings` is what the screen gets, `write_findings` the whole table as CSV.
"""

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Literal

Severity = Literal["error", "warning"]

TABLE_HEADER = (
    "rule", "severity", "line", "ID", "column", "value", "message", "hint",
)  # fmt: skip
LONGEST = 60  # characters of a cell that a message repeats


@dataclass(frozen=True)
class Finding:
    """One row of the findings table.

    `line` is the physical line of the file (the record number of a SAS file), `column`
    the name in the file; None where the finding concerns the whole file.
    """

    rule: str
    severity: Severity
    line: int | None
    subject: str | None
    column: str | None
    value: str
    message: str
    hint: str

    def text(self, file: str) -> str:
        """`pk.csv:6: [DV-NUM] subject 1: DV is 'abc' (a number was expected)`."""
        place = file if self.line is None else f"{file}:{self.line}"
        who = "" if self.subject is None else f"subject {printable(self.subject)}: "
        return f"{place}: [{self.rule}] {who}{self.message}"


def printable(text: str) -> str:
    """The text on one line: escaped if it holds control characters, cut if long."""
    shown = text if text.isprintable() else repr(text)[1:-1]
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


def quoted(text: str) -> str:
    """A cell as a message repeats it: 'abc'."""
    return f"'{printable(text)}'"


def errors(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that stop a fit."""
    return [finding for finding in findings if finding.severity == "error"]


def show_findings(findings: Sequence[Finding], file: str, first: int = 20) -> str:
    """The first findings as lines: errors first, then by line; a rule's hint once."""
    ordered = sorted(findings, key=lambda f: (f.severity != "error", f.line or 0))
    lines: list[str] = []
    hinted: set[str] = set()
    for finding in ordered[:first]:
        lines.append(finding.text(file))
        if finding.hint and finding.rule not in hinted:
            lines.append(f"    {finding.hint}")
        hinted.add(finding.rule)
    if len(ordered) > first:
        lines.append(f"… and {len(ordered) - first} more findings")
    return "\n".join(lines)


def write_findings(findings: Sequence[Finding], path: Path) -> None:
    """Writes all findings as CSV, one row each, in the order they were found."""
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as out:
        writer = csv.writer(out)
        writer.writerow(TABLE_HEADER)
        writer.writerows(astuple(finding) for finding in findings)
