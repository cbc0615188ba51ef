"""Settings of every test: float64, and the folder of the reference cases."""

from pathlib import Path

import jax
import pytest

jax.config.update("jax_enable_x64", True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--shared",
        default=str(Path(__file__).parents[1].parent / "shared"),
        help="folder with cases/ and science/ (reference data that is not shipped)",
    )


@pytest.fixture(scope="session")
def shared(request: pytest.FixtureRequest) -> Path:
    folder = Path(request.config.getoption("--shared"))
    if not folder.is_dir():
        pytest.skip(f"reference cases are not at {folder}: pass --shared DIR")
    return folder


@pytest.fixture(scope="session")
def cases(shared: Path) -> Path:
    return shared / "cases"


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).parents[1]
