"""A fit of hazards from its parts, and its log-likelihood at given parameters."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpyro.handlers import seed, substitute, trace

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.fit.meshes import event_mesh
from imak_pkpd.fit.posterior import population_model
from imak_pkpd.fit.problem import Problem, read_problem
from imak_pkpd.fit.spec import FitSpec, read_fit
from imak_pkpd.model.load import load_model
from imak_pkpd.solve.mesh import Mesh
from imak_pkpd.solve.stepper import AbstractStepper

MODELS = Path(__file__).parents[1] / "reference_models"
TRUTH = {"b": 0.02, "g": 0.15, "c": 0.3, "shape": 2.5, "s": 12.0, "r": 0.07}
PRIORS = "\n".join(f"{n} = {{ median = {v}, gsd = 1.5 }}" for n, v in TRUTH.items())
HEADER = "ID,TIME,DVID,DV"


def outputs(**events: str) -> str:
    """[output] blocks, DVID 1, 2, …: hazard -> exact or interval."""
    return "\n".join(
        f'[output.{name}]\nunit = "1/day"\ndvid = {i}\nerror = "event"\n'
        + ('event = "interval"\n' if kind == "interval" else "")
        for i, (name, kind) in enumerate(events.items(), 1)
    )


def make_problem(
    folder: Path,
    blocks: str,
    rows: str,
    *,
    model: str = "hazards.py",
    theta: str = PRIORS,
    data: str = "",
    header: str = HEADER,
) -> Problem:
    """The fit file and its patients written to `folder`, and read."""
    (folder / "tte.csv").write_text(f"{header}\n{rows}")
    (folder / "tte.toml").write_text(
        f'problem = "times to events"\nmodel = "{MODELS / model}"\n'
        f'[data]\nfile = "tte.csv"\ntime = "day"\n{data}\n{blocks}\n[theta]\n{theta}\n'
    )
    return read_problem(read_fit(folder / "tte.toml"))


def by_subject(
    problem: Problem,
    sites: Mapping[str, Array],
    mesh: Mesh | None = None,
    stepper: AbstractStepper | None = None,
) -> Float[Array, " subject"]:
    """The log-likelihood at values of the sites (their own scale)."""
    grid = event_mesh(problem) if mesh is None else mesh
    args = jax.tree.map(jnp.asarray, (problem.schedule, grid))
    return _program(problem.spec, stepper)(dict(sites), *args)


@lru_cache
def _program(spec: FitSpec, stepper: AbstractStepper | None) -> Callable[..., Array]:
    """Compiled once per fit file: other patients of the same shape compile nothing."""
    function = population_model(spec, load_model(spec.model), {}, stepper)

    def run(sites: Mapping[str, Array], schedule: Schedule, mesh: Mesh) -> Array:
        known = seed(substitute(function, dict(sites)), jax.random.key(0))
        found: Array = trace(known).get_trace(schedule, mesh)["log_likelihood"]["value"]
        return found

    return jax.jit(run)


def at_truth(problem: Problem, **natural: float) -> Float[np.ndarray, " subject"]:
    """The same at `TRUTH`, or at other natural values of some parameters."""
    values = {**TRUTH, **natural}
    sites = {f"theta_{n}": jnp.log(jnp.asarray(v)) for n, v in values.items()}
    return np.asarray(by_subject(problem, sites))
