"""The wheel holds every shipped file, and both ways of installing find them."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from imak_pkpd.project import shipped


def run(*command: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=environment or None, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    run(
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-t",
        "wheel",
        "-d",
        str(folder),
        cwd=root,
    )
    (archive,) = folder.glob("*.whl")
    zipfile.ZipFile(archive).extractall(folder / "unpacked")
    return folder / "unpacked"


def tracked(root: Path) -> list[str]:
    if not (root / ".git").exists():
        pytest.skip("not a git checkout: the list of shipped files is unknown")
    return run("git", "ls-files", "models", "fits", cwd=root).splitlines()


def test_checkout_is_found(root: Path) -> None:
    assert shipped() == root


def test_every_shipped_file_is_in_the_wheel(root: Path, wheel: Path) -> None:
    packaged = wheel / "imak_pkpd" / "_project"
    files = tracked(root)
    assert files
    assert [f for f in files if not (packaged / f).is_file()] == []
    assert all((packaged / f).read_bytes() == (root / f).read_bytes() for f in files)


def test_the_app_and_the_templates_are_in_the_wheel(wheel: Path) -> None:
    for name in ("explore/app.py", "report/template/blocks.html"):
        assert (wheel / "imak_pkpd" / name).is_file()


def test_installed_package_finds_its_own_copy(wheel: Path, tmp_path: Path) -> None:
    question = "from imak_pkpd.project import shipped; print(shipped())"
    answer = run(sys.executable, "-c", question, cwd=tmp_path, PYTHONPATH=str(wheel))
    assert Path(answer.strip()) == wheel / "imak_pkpd" / "_project"


def test_constraints_are_the_pins_of_pyproject(root: Path) -> None:
    written = (root / "constraints.txt").read_text()
    printed = run(sys.executable, ".ci/constraints.py", "--print", cwd=root)
    assert written == printed
