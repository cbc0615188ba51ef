"""Where the shipped models and fits are: `imak init` copies them from here."""

from pathlib import Path


def shipped() -> Path:
    """The folder that holds `models/` and `fits/`: of the wheel, else of the checkout."""
    package = Path(__file__).parent
    packaged = package / "_project"
    return packaged if packaged.is_dir() else package.parent
