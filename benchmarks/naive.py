"""The peer: NumPyro + diffrax as most people write it, from a copy of its folder."""

import importlib
import shutil
import sys
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
from measure import Timing, time_gradient
from numpyro.infer import init_to_value
from numpyro.infer.util import initialize_model

SIZES = {"subjects": 33, "typical": 7, "omega": 4, "sigma": 3}


def naive(peers: Path, repeats: int) -> Timing:
    """Timing of the peer's imak-5 at its own starting point, tolerance 1e-6."""
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(peers, copy, dirs_exist_ok=True)
        sys.path.insert(0, copy)
        models, common = map(importlib.import_module, ("jaxmodels", "common"))
        model, _ = models.make("imak", "tsit5", None, 1e-6, 1e-6)
        start = init_to_value(values=start_values(jnp.asarray(common.B2_MU)))
        info = initialize_model(jax.random.PRNGKey(1), model, init_strategy=start)
        return time_gradient(info.potential_fn, info.param_info.z, repeats=repeats)


def start_values(typical: jax.Array) -> dict[str, jax.Array]:
    """Prior medians, SDs of 0.3 and small random effects: every peer's point."""
    shape = (SIZES["subjects"], SIZES["omega"])
    return {
        "mu": typical,
        "om": jnp.full(SIZES["omega"], 0.3),
        "sg": jnp.full(SIZES["sigma"], 0.3),
        "z": 0.3 * jax.random.normal(jax.random.PRNGKey(5), shape),
    }
