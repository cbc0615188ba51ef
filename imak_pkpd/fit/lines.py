"""The line of every key of a TOML text, which tomllib does not tell.

The text must already have been read by tomllib: the scan relies on it being valid.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field

Key = tuple[str | int, ...]
"""The path of a value: names, and places in arrays (from 0)."""

# Quotes right before the closing three belong to a multi-line string: up to 5.
STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    + r"|'''.*?'{3,5}"
    + r'|"(?:\\.|[^"\\])*"'
    + r"|'[^']*'",
    re.DOTALL,
)
SPACE = re.compile(r"(?:\s|#[^\n]*)*")
DOTTED = re.compile(
    r"""(?:[\w-]+|"(?:\\.|[^"\\])*"|'[^']*')"""
    r"""(?:[ \t]*\.[ \t]*(?:[\w-]+|"(?:\\.|[^"\\])*"|'[^']*'))*"""
)
PLAIN = re.compile(r"[^,\]}#\n]+")


def key_lines(text: str) -> dict[Key, int]:
    """The line (from 1) on which each key, table and array element is written.

    A table that is written in several places has the line of the first.
    """
    return dict(_Scan(text).document())


@dataclass
class _Scan:
    """Where the scan stands in the text, and how long each array of tables is."""

    text: str
    place: int = 0
    arrays: dict[Key, int] = field(default_factory=dict)
    lines: dict[Key, int] = field(default_factory=dict)

    def document(self) -> dict[Key, int]:
        table: Key = ()
        while self.more():
            if self.text[self.place] == "[":
                table = self.header()
            else:
                self.pair(table)
        return self.lines

    def more(self) -> bool:
        """Whether anything is left after white space and comments."""
        self.skip(SPACE)
        return self.place < len(self.text)

    def skip(self, pattern: re.Pattern[str]) -> str:
        """The text that the pattern matches here; the scan stands behind it."""
        found = pattern.match(self.text, self.place)
        assert found is not None, "tomllib accepted a text that this scan does not"
        self.place = found.end()
        return found.group()

    def at(self, signs: str) -> bool:
        return self.text.startswith(signs, self.place)

    def note(self, path: Key) -> None:
        line = self.text.count("\n", 0, self.place) + 1
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)

    def header(self) -> Key:
        """[table] or [[array of tables]]: the path that the next pairs belong to."""
        doubled = self.at("[[")
        self.place += 2 if doubled else 1
        self.skip(SPACE)
        here, names = self.place, self.names()
        behind, self.place = self.place, here
        path = self.in_arrays(names)
        if doubled:
            count = self.arrays.get(path, 0)
            self.arrays[path] = count + 1
            path = (*path, count)
        self.note(path)
        self.place = self.text.index("]", behind) + (2 if doubled else 1)
        return path

    def in_arrays(self, names: Key) -> Key:
        """The names with the current element behind each array of tables."""
        path: Key = ()
        for name in names[:-1]:
            path = (*path, name)
            if path in self.arrays:
                path = (*path, self.arrays[path] - 1)
        return (*path, names[-1])

    def names(self) -> Key:
        """A dotted key; tomllib reads its quotes and escapes."""
        return tuple(_chain(tomllib.loads(f"{self.skip(DOTTED)} = 0")))

    def pair(self, table: Key) -> None:
        """key = value, in the document or in an inline table."""
        here, names = self.place, self.names()
        behind, self.place = self.place, here
        path = (*table, *names)
        self.note(path)
        self.place = self.text.index("=", behind) + 1
        self.skip(SPACE)
        self.value(path)

    def value(self, path: Key) -> None:
        if self.at("["):
            self.items(path, "]")
        elif self.at("{"):
            self.items(path, "}")
        elif self.at('"') or self.at("'"):
            self.skip(STRING)
        else:
            self.skip(PLAIN)

    def items(self, path: Key, close: str) -> None:
        """The elements of an array, or the pairs of an inline table."""
        self.place += 1
        count = 0
        while self.more() and not self.at(close):
            if self.at(","):
                self.place += 1
            elif close == "}":
                self.pair(path)
            else:
                self.note((*path, count))
                self.value((*path, count))
                count += 1
        self.place += 1


def _chain(nested: dict) -> Iterator[str]:
    for name, inner in nested.items():
        yield name
        if inner:
            yield from _chain(inner)
