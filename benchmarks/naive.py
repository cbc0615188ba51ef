"""The peer: NumPyro + diffrax as most people write it, from a copy of its folder."""

import importlib
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
from measure import Timing, time_gradient
from numpyro.infer import init_to_value
from numpyro.infer.util import initialize_model
from start import VARYING, start_values

NARROW = 1e-5  # days: a dose as a pulse of this width is off by 0.01 in the posterior


def naive(peers: Path, repeats: int) -> Timing:
    """Timing of the peer's imak-5, tolerance 1e-6; its doses are pulses of 0.01 d."""
    models = peer_module(peers)
    return time_gradient(*posterior(models, tolerance=1e-6), repeats=repeats)


def narrow_value(peers: Path) -> float:
    """The peer's potential at tolerance 1e-9 with doses that are almost boluses."""
    models = peer_module(peers)
    models.b2_solve = partial(models.b2_solve, w=NARROW, max_steps=20_000)
    potential, point = posterior(models, tolerance=1e-9)
    return float(jax.jit(potential)(point))


def peer_module(peers: Path) -> ModuleType:
    """The peers' models, imported from a copy: importing makes a folder beside them."""
    with tempfile.TemporaryDirectory() as copy:
        for program in peers.glob("*.py"):
            shutil.copy(program, copy)
        sys.path.insert(0, copy)
        models = importlib.import_module("jaxmodels")
    models.C.DATA = str(peers / "data")
    return models


def posterior(models: ModuleType, tolerance: float) -> tuple[Callable, Any]:
    """The peer's potential and the common point in its coordinates."""
    model, _ = models.make("imak", "tsit5", None, tolerance, tolerance)
    start = init_to_value(values=peer_values())
    info = initialize_model(jax.random.PRNGKey(1), model, init_strategy=start)
    return info.potential_fn, info.param_info.z


def peer_values() -> dict[str, jax.Array]:
    """The common point under the peer's names."""
    start = start_values()
    return {
        "mu": jnp.stack(list(start.typical.values())),
        "om": jnp.full(len(VARYING), start.omega),
        "sg": jnp.full(3, start.sigma),
        "z": jnp.stack(list(start.z.values()), axis=-1),
    }
