"""The command in two ways: as a process of its own, and (quicker) inside the test."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import pytest
from typer.testing import CliRunner

from imak_pkpd.cli.app import app
from imak_pkpd.cli.failure import explain


class Answer(NamedTuple):
    """Exit code and what was printed; `error` is the sentence without its `imak: `."""

    code: int
    output: str
    error: str


Imak = Callable[..., Answer]
CACHE = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled programs are kept apart from the user's."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def process(cache: Path) -> Imak:
    """`process(*words, cwd)`: `imak` as started by a shell, where no terminal is."""
    known = {k: v for k, v in os.environ.items() if k != "FORCE_COLOR"}
    environment = known | {"XDG_CACHE_HOME": str(cache)}

    def run(*words: str, cwd: Path | None = None) -> Answer:
        command = (sys.executable, "-m", "imak_pkpd.cli", *words)
        done = subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[Imak]:
    """`inside(*words, cwd)`: the same in this process; JAX's settings are put back."""
    before = {name: getattr(jax.config, name) for name in CACHE}
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))

    def run(*words: str, cwd: Path) -> Answer:
        monkeypatch.chdir(cwd)
        done = CliRunner().invoke(app, list(words))
        if isinstance(done.exception, Exception):
            sentence, code = explain(done.exception)
            return Answer(code, done.output, sentence)
        return Answer(done.exit_code, done.output, "")

    yield run
    for name, value in before.items():
        jax.config.update(name, value)
