"""Compiled programs kept on disk between runs."""

from pathlib import Path

import jax
from platformdirs import user_cache_path


def keep_compiled_programs(folder: Path | None = None) -> Path:
    """Makes JAX keep compiled programs in `folder` (the user's cache); returns it.

    Called by the command line, never at import: it changes JAX's settings.
    """
    folder = folder or user_cache_path("imak-pkpd") / "compiled"
    folder.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # Programs that take less to compile are not worth a file: to read one takes .02 s.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    return folder
