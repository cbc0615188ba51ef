"""The command as a user starts it: quick help, exit codes, one sentence per error."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from imak_pkpd.cli.failure import BAD_INPUT, ERROR, explain

VERBS = ("init", "check", "fit", "resume", "report", "runs")
HEAVY = ("jax", "pandas", "numpyro", "xarray", "arviz", "matplotlib", "numpy")


def imak(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`imak` as a process that is no terminal."""
    environment = {k: v for k, v in os.environ.items() if k != "FORCE_COLOR"}
    command = (sys.executable, "-m", "imak_pkpd.cli", *words)
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True
    )


def test_help_names_every_verb() -> None:
    done = imak("--help")
    assert done.returncode == 0
    assert [verb for verb in VERBS if not re.search(rf"\b{verb}\b", done.stdout)] == []


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


def test_an_unknown_verb_is_bad_input() -> None:
    assert imak("guess").returncode == BAD_INPUT


def test_init_copies_the_project_and_overwrites_nothing(
    root: Path, tmp_path: Path
) -> None:
    assert imak("init", "mine", cwd=tmp_path).returncode == 0
    for folder in ("models", "fits"):
        ours = {p.relative_to(root) for p in (root / folder).rglob("*") if visible(p)}
        copied = {
            p.relative_to(tmp_path / "mine")
            for p in (tmp_path / "mine" / folder).rglob("*")
        }
        assert copied == ours
    again = imak("init", "mine", cwd=tmp_path)
    assert again.returncode == BAD_INPUT
    assert again.stderr.startswith("imak: mine/models exists")


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
