"""The command as a user starts it: quick help, exit codes, one sentence per error."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imak_pkpd.cli.failure import BAD_INPUT, ERROR, explain

Imak = Callable[..., Any]  # the fixture of conftest.py
VERBS = ("init", "check", "fit", "resume", "report", "runs", "simulate")
HEAVY = ("jax", "pandas", "numpyro", "xarray", "arviz", "matplotlib", "numpy")


def test_help_names_every_verb(process: Imak) -> None:
    done = process("--help")
    assert done.code == 0
    assert [verb for verb in VERBS if not re.search(rf"\b{verb}\b", done.output)] == []


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['imak', '--help']\n"
        "from imak_pkpd.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: print('LOADED', *sorted(sys.modules))"
    )
    done = subprocess.run(
        (sys.executable, "-c", program), capture_output=True, text=True
    )
    (loaded,) = (x for x in done.stdout.splitlines() if x.startswith("LOADED"))
    assert [name for name in HEAVY if name in loaded.split()] == []


def test_an_unknown_verb_is_bad_input(process: Imak) -> None:
    assert process("guess").code == BAD_INPUT


def test_init_copies_the_project_and_overwrites_nothing(
    process: Imak, root: Path, tmp_path: Path
) -> None:
    assert process("init", "mine", cwd=tmp_path).code == 0
    for folder in ("models", "fits"):
        ours = {p.relative_to(root) for p in (root / folder).rglob("*") if visible(p)}
        copied = {
            p.relative_to(tmp_path / "mine")
            for p in (tmp_path / "mine" / folder).rglob("*")
        }
        assert copied == ours
    again = process("init", "mine", cwd=tmp_path)
    assert again.code == BAD_INPUT
    assert again.error.startswith("imak: mine/models exists")


def visible(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts[-3:])
    return not hidden and "__pycache__" not in path.parts and "runs" not in path.parts


def test_a_value_error_of_ours_is_a_sentence() -> None:
    from imak_pkpd.cli.init import init

    with pytest.raises(ValueError, match="exists") as caught:
        init(Path(__file__).parents[2])
    assert explain(caught.value) == (str(caught.value), BAD_INPUT)


def test_any_other_error_keeps_its_traceback_in_a_file() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        print(1 // 0)
    sentence, code = explain(caught.value)
    (path,) = re.findall(r"traceback in (.+)\)$", sentence)
    assert code == ERROR
    assert "\n" not in sentence
    assert "print(1 // 0)" in Path(path).read_text()
    Path(path).unlink()
