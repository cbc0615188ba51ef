"""Where the shipped models and fits are: `imak init` copies them from here."""

from pathlib import Path


def shipped() -> Path:
    """The folder that holds `models/` and `fits/`: the wheel's, else the checkout's."""
    package = Path(__file__).parent
    packaged = package / "_project"
    return packaged if packaged.is_dir() else package.parent
