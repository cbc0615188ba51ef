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
from measure import time_gradient
from numpyro.infer.util import potential_energy
from problems import BenchProblem
from start import StartValues, start_values, without_effects

USUAL, TIGHT = 1e-6, 1e-9  # tolerances, relative and absolute
NARROW = 1e-5  # days: a dose as a pulse of this width is off by 0.01 in the posterior

Point = dict[str, jax.Array]
Potential = Callable[[Point, Any], jax.Array]
"""Minus the log posterior at a point, solved to a tolerance (traced)."""


def naive(peers: Path, problem: BenchProblem, repeats: int) -> dict[str, Any]:
    """Timing of the peer's model; its doses of imak-5 are pulses of 0.01 d."""
    potential = posterior(peer_module(peers), problem)
    start = start_values(problem)
    timing = time_gradient(
        partial(potential, tolerance=USUAL), peer_point(start), repeats=repeats
    )
    return {**timing._asdict(), "rise": rise(potential, start, USUAL)}


def narrow(peers: Path, problem: BenchProblem) -> dict[str, Any]:
    """The peer's potential to a tolerance of 1e-9, its doses almost boluses."""
    models = peer_module(peers)
    models.b2_solve = partial(models.b2_solve, w=NARROW, max_steps=20_000)
    potential, start = posterior(models, problem), start_values(problem)
    value = jax.jit(potential)(peer_point(start), TIGHT)
    return {"value": float(value), "rise": rise(potential, start, TIGHT)}


def rise(potential: Potential, start: StartValues, tolerance: float) -> float:
    """The log posterior at the common point, less that without random effects."""
    compiled = jax.jit(potential)
    here, there = (peer_point(s) for s in (start, without_effects(start)))
    return float(compiled(there, tolerance) - compiled(here, tolerance))


def peer_module(peers: Path) -> ModuleType:
    """The peers' models, imported from a copy: importing makes a folder beside them."""
    with tempfile.TemporaryDirectory() as copy:
        for program in peers.glob("*.py"):
            shutil.copy(program, copy)
        sys.path.insert(0, copy)
        models = importlib.import_module("jaxmodels")
    models.C.DATA = str(peers / "data")
    return models


def posterior(models: ModuleType, problem: BenchProblem) -> Potential:
    """The peer's potential of its unconstrained sites and of a tolerance."""

    def potential(point: Point, tolerance: Any) -> jax.Array:
        model, _ = models.make(problem.peer, "tsit5", None, tolerance, tolerance)
        return potential_energy(model, (), {}, point)

    return potential


def peer_point(start: StartValues) -> Point:
    """A point under the peer's names, unconstrained: SDs by their logarithms."""
    logs = {name: jnp.log(sd) for name, sd in start.residual.items()}
    point = {
        "mu": jnp.stack(list(start.typical.values())),
        "om": jnp.full(len(start.z), jnp.log(start.omega)),
        "z": jnp.stack(list(start.z.values()), axis=-1),
    }
    if "concentration_additive" in logs:  # theo: two SDs of one output, two sites
        own = ("prop", "concentration_proportional"), ("add", "concentration_additive")
        return point | {theirs: logs[ours] for theirs, ours in own}
    return point | {"sg": jnp.stack(list(logs.values()))}
