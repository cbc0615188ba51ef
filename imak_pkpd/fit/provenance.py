"""Where a result comes from: versions, machine, source revision, hashes."""

import os
import platform
import subprocess
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

# What can change a draw, or the way it is stored.
_PACKAGES = (
    "imak-pkpd",
    "jax",
    "jaxlib",
    "numpyro",
    "diffrax",
    "equinox",
    "optimistix",
    "numpy",
    "scipy",
    "xarray",
    "arviz-stats",
)


def versions() -> dict[str, str]:
    """Version of Python and of each package that matters."""
    return {"python": platform.python_version()} | {p: version(p) for p in _PACKAGES}


def machine() -> dict[str, Any]:
    """What must be equal for draws to be equal to the bit."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "versions": versions(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "float64": bool(jax.config.jax_enable_x64),
        "devices": [device.device_kind for device in jax.devices()],
    }


def git(folder: Path) -> dict[str, Any]:
    """Commit of the repository around `folder` and whether files differ from it.

    Both None outside a repository, or where git is not installed.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    status = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if status is None else status != ""}


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    return sha256(path.read_bytes()).hexdigest()


def hash_text(text: str) -> str:
    """SHA-256 of a text in UTF-8."""
    return sha256(text.encode()).hexdigest()


def hash_arrays(tree: Any) -> str:
    """SHA-256 of a pytree of arrays: name, type, shape and bytes of each leaf."""
    running = sha256()
    for path, leaf in jax.tree.leaves_with_path(tree):
        value = np.ascontiguousarray(leaf)
        running.update(f"{jax.tree_util.keystr(path)} {value.dtype} ".encode())
        running.update(f"{value.shape}".encode() + value.tobytes())
    return running.hexdigest()


def as_attributes(record: Mapping[str, Any]) -> dict[str, str]:
    """A record as attributes of a netCDF file: text only."""
    return {name: str(value) for name, value in record.items() if value is not None}


def _processor() -> str:
    """The processor's name: compiled programs use its vector instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor()


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
