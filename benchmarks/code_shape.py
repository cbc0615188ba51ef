"""Prints how the package's code is cut: function lengths and the longest files.

A length is counted without the docstring. Run: `python benchmarks/code_shape.py`
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
LONG = 40  # lines past which a function's parts should have names


def functions(path: Path) -> Iterator[tuple[int, str]]:
    """(length, place) of every function of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield length(node), f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"


def length(node: ast.FunctionDef) -> int:
    text = node.body[0] if ast.get_docstring(node) else None
    docstring = text.end_lineno - text.lineno + 1 if text and text.end_lineno else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


def main() -> None:
    files = sorted((ROOT / "imak_pkpd").rglob("*.py"))
    found = sorted((f for path in files for f in functions(path)), reverse=True)
    sizes = sorted(((len(p.read_text().splitlines()), p) for p in files), reverse=True)
    print(f"{len(files)} files, {sum(n for n, _ in sizes)} lines, ", end="")
    print(f"{len(found)} functions, median {median(n for n, _ in found):g} lines")
    for n, path in sizes[:5]:
        print(f"  file {n:4d}  {path.relative_to(ROOT)}")
    for n, place in found[:5]:
        print(f"  function {n:4d}  {place}{'  <- long' if n > LONG else ''}")


if __name__ == "__main__":
    main()
