"""What is printed for a patient: the identifier itself, or a number in its place."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Labels:
    """`names` from identifier to printed label; identifiers are printed unless they
    are to be `hidden`."""

    names: Mapping[str, str] = field(default_factory=dict)
    hidden: bool = False

    @classmethod
    def numbered(cls, identifiers: Sequence[str]) -> "Labels":
        """Labels P01, P02, … in the order of the file."""
        width = max(2, len(str(len(identifiers))))
        names = {name: f"P{k:0{width}}" for k, name in enumerate(identifiers, 1)}
        return cls(names, hidden=True)

    def of(self, identifier: str) -> str:
        """The printed label of one patient; "unknown" hides one that is not listed."""
        if not self.hidden:
            return identifier
        return self.names.get(identifier, "unknown")

    def text(self, words: str) -> str:
        """Free text with identifiers replaced.

        Identifiers that are words of their own (a letter in them, two characters or
        more) are replaced wherever they stand; the others, such as 7, only where the
        text says whose they are ("subject 7", "patient 7", "ID 7").
        """
        if not self.names:
            return words
        longest_first = sorted(self.names, key=len, reverse=True)
        pattern = "|".join(_pattern(name) for name in longest_first)
        return re.sub(pattern, lambda found: self.names[found.group()], words)


def _pattern(name: str) -> str:
    """Where one identifier is meant."""
    exact = rf"(?<![\w.]){re.escape(name)}(?![\w.]*\w)"
    if len(name) > 1 and re.search(r"[^\W\d]", name):
        return exact
    return rf"(?i:(?<=subject )|(?<=patient )|(?<=ID )){exact}"
