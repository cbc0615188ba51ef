"""Writes constraints.txt (for pip) from `[tool.uv] constraint-dependencies`.

`python .ci/constraints.py` writes the file, with `--print` it only shows it.
"""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def constraints(pyproject: str) -> str:
    """The text of constraints.txt that belongs to this pyproject.toml."""
    pins: list[str] = tomllib.loads(pyproject)["tool"]["uv"]["constraint-dependencies"]
    head = "# Made by .ci/constraints.py from pyproject.toml; edit the list there.\n"
    return head + "\n".join(pins) + "\n"


if __name__ == "__main__":
    text = constraints((ROOT / "pyproject.toml").read_text())
    if "--print" in sys.argv:
        print(text, end="")
    else:
        (ROOT / "constraints.txt").write_text(text)
