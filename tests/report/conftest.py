"""A real, small posterior: one compartment, oral, twelve simulated patients, M3.

Two doses, so that there are two dose groups, and a limit of quantification that some
late samples fall below. One patient's identifier is an attack on the page.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import xarray as xr
from numpyro.infer import MCMC, NUTS, Predictive, init_to_median

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ATTACK = "<script>alert(1)</script>"
SUBJECTS = (
    "1",
    "2",
    "a&b",
    ATTACK,
    "$x_5$",
    "=SUM(A1)",
    "7",
    "8",
    "9",
    "10",
    "11",
    "12",
)
TIMES = np.array([0.25, 0.5, 1.0, 2.0, 3.5, 5.0, 7.0, 9.0, 12.0, 24.0])
TRUTH = {"ka": 1.5, "V": 32.0, "CL": 2.8}
OMEGA = {"ka": 0.5, "V": 0.15, "CL": 0.25}
ADDITIVE, PROPORTIONAL = 0.1, 0.12
LLOQ = 0.9
SHOWN = 60  # predictive draws per chain: enough for NPDE (5 replicates per sample)

MODEL = '''"""One compartment, first-order absorption: $C = ...$ <Teorell 1937>."""

class Oral(AbstractLinear):
    ka: Scalar = parameter("1/h", "absorption rate", "Teorell 1937")
    V: Scalar = parameter("L", "volume of distribution")
    CL: Scalar = parameter("L/h", "clearance")
'''

FIT = """problem = "Simulated oral doses, twelve patients"
model = "models/oral.py"
[data]
file = "data/oral.csv"
time = "h"
[output.concentration]
unit = "mg/L"
error = "combined1"
additive = { dist = "HalfNormal", scale = 1.0 }
proportional = { dist = "HalfNormal", scale = 0.3 }
censoring = "M3"
[theta]
ka = { median = 1.5, gsd = 3.0, source = "a wide guess" }
V = { median = 30.0, gsd = 2.0 }
CL = { median = 3.0, gsd = 2.0 }
[omega]
ka = { dist = "HalfNormal", scale = 1.0 }
V = { dist = "HalfNormal", scale = 1.0 }
CL = { dist = "HalfNormal", scale = 1.0 }
"""


def concentration(t: Any, dose: Any, ka: Any, V: Any, CL: Any) -> Any:
    """Bateman's function."""
    k = CL / V
    return dose * ka / (V * (ka - k)) * (jnp.exp(-k * t) - jnp.exp(-ka * t))


def simulate() -> dict[str, np.ndarray]:
    """The data set, from a stated seed."""
    random = np.random.default_rng(20240501)
    n = len(SUBJECTS)
    dose = np.where(np.arange(n) % 2, 320.0, 160.0)
    own = {p: TRUTH[p] * np.exp(OMEGA[p] * random.normal(size=(n, 1))) for p in TRUTH}
    time = np.tile(TIMES, (n, 1)) + random.uniform(0, 0.05, (n, len(TIMES)))
    mean = np.asarray(concentration(time, dose[:, None], **own))
    noisy = mean + (ADDITIVE + PROPORTIONAL * mean) * random.normal(size=mean.shape)
    below = noisy < LLOQ
    return {
        "time": time.ravel(),
        "dv": np.where(below, LLOQ, noisy).ravel(),
        "censor": below.astype(np.int8).ravel(),
        "subject": np.repeat(np.arange(n), len(TIMES)),
        "dose": dose,
        "WT": random.normal(70, 10, n).round(1),
        "SEX": (np.arange(n) % 3 == 0).astype(float),
    }


def model(data: dict[str, Any], n: int) -> None:
    """Log-normal parameters, combined error (SDs add), BLQ by M3."""
    natural = {}
    for p, (median, gsd) in {
        "ka": (1.5, 3.0),
        "V": (30.0, 2.0),
        "CL": (3.0, 2.0),
    }.items():
        theta = numpyro.sample(f"theta_{p}", dist.Normal(np.log(median), np.log(gsd)))
        omega = numpyro.sample(f"omega_{p}", dist.HalfNormal(1.0))
        z = numpyro.sample(f"z_{p}", dist.Normal(0, 1).expand([n]))
        eta = numpyro.deterministic(f"eta_{p}", omega * z)
        numpyro.deterministic(f"{p}_pop", jnp.exp(theta))
        natural[p] = numpyro.deterministic(p, jnp.exp(theta + eta))
    a = numpyro.sample("concentration_additive", dist.HalfNormal(1.0))
    b = numpyro.sample("concentration_proportional", dist.HalfNormal(0.3))
    row = data["subject"]
    own = {p: value[row] for p, value in natural.items()}
    mean = concentration(data["time"], data["dose"][row], **own)
    error = dist.Normal(mean, a + b * mean)
    below = data["censor"] == 1
    tail = jax.scipy.stats.norm.logcdf(data["dv"], error.loc, error.scale)
    likelihood = jnp.where(below, tail, error.log_prob(data["dv"]))
    numpyro.deterministic(
        "log_likelihood", jax.ops.segment_sum(likelihood, row, num_segments=n)
    )
    numpyro.factor("likelihood", likelihood.sum())


def predict(
    draws: dict[str, np.ndarray], data: dict[str, np.ndarray], seed: int
) -> dict[str, np.ndarray]:
    """Predictions and replicates of every draw, arrays [chain, draw, observation]."""
    random = np.random.default_rng(seed)
    row, parameters = data["subject"], ("ka", "V", "CL")
    time, dose = data["time"], data["dose"][row]
    pop = {p: draws[f"{p}_pop"][..., None] for p in parameters}
    shape = (*draws["ka_pop"].shape, len(data["dose"]))
    eta = {p: draws[f"omega_{p}"][..., None] * random.normal(size=shape) for p in pop}
    new = {p: (pop[p] * np.exp(eta[p]))[..., row] for p in pop}
    own = {p: draws[p][..., row] for p in parameters}
    ipred, pred, other = (
        np.asarray(concentration(time, dose, **use)) for use in (own, pop, new)
    )

    a, b = (
        draws[f"concentration_{k}"][..., None] for k in ("additive", "proportional")
    )

    def noisy(mean: np.ndarray) -> np.ndarray:
        return mean + (a + b * mean) * random.normal(size=mean.shape)

    return {
        "ipred": ipred,
        "pred": pred,
        "replicate_individual": noisy(ipred),
        "replicate": noisy(other),
        "iwres": (data["dv"] - ipred) / (a + b * ipred),
    }


@pytest.fixture(scope="session")
def small_tree() -> xr.DataTree:
    """The posterior of the simulated patients, with every group of a run."""
    data = simulate()
    n = len(SUBJECTS)
    nuts = NUTS(
        model, init_strategy=init_to_median, target_accept_prob=0.9, max_tree_depth=5
    )
    sampler = MCMC(
        nuts, num_warmup=120, num_samples=120, num_chains=2,
        chain_method="vectorized", progress_bar=False,
    )  # fmt: skip
    fields = (
        "diverging",
        "accept_prob",
        "num_steps",
        "energy",
        "adapt_state.step_size",
    )
    sampler.run(jax.random.key(1), data, n, extra_fields=fields)
    draws = {k: np.asarray(v) for k, v in sampler.get_samples(True).items()}
    extra = {k: np.asarray(v) for k, v in sampler.get_extra_fields(True).items()}
    prior = Predictive(model, num_samples=200)(jax.random.key(2), data, n)
    return _tree(data, draws, extra, {k: np.asarray(v) for k, v in prior.items()})


def _tree(
    data: dict[str, np.ndarray],
    draws: dict[str, np.ndarray],
    extra: dict[str, np.ndarray],
    prior: dict[str, np.ndarray],
) -> xr.DataTree:
    loglik = draws.pop("log_likelihood")
    prior = {k: v[None] for k, v in prior.items() if k in draws}
    every = draws["ka_pop"].shape[1] // SHOWN
    some = {k: v[:, ::every] for k, v in draws.items()}
    statistics = {
        "diverging": extra["diverging"],
        "acceptance_rate": extra["accept_prob"],
        "n_steps": extra["num_steps"],
        "tree_depth": np.ceil(np.log2(extra["num_steps"] + 1)).astype(int),
        "reached_max_treedepth": extra["num_steps"] >= 31,
        "energy": extra["energy"],
        "lp": -extra["energy"],
        "step_size": extra["adapt_state.step_size"],
        "failed_solves": np.zeros_like(extra["num_steps"]),
    }
    observed = {
        "dv": data["dv"],
        "limit": np.zeros_like(data["dv"]),
        "censor": data["censor"],
        "time": data["time"],
        "time_after_dose": data["time"],
        "subject_index": data["subject"],
        "output_index": np.zeros_like(data["subject"]),
    }
    doses = {
        "dose_time": np.zeros(len(SUBJECTS)),
        "dose_amount": data["dose"],
        "dose_rate": np.zeros(len(SUBJECTS)),
        "dose_name_index": np.zeros(len(SUBJECTS), int),
        "dose_subject_index": np.arange(len(SUBJECTS)),
    }
    constant = _dataset({k: (("dose",), v) for k, v in doses.items()})
    for name in ("WT", "SEX"):
        constant[name] = (("subject",), data[name])
    return xr.DataTree.from_dict(
        {
            "posterior": _sampled(draws),
            "sample_stats": _sampled(statistics),
            "warmup": _sampled(statistics),
            "log_likelihood": _sampled({"log_likelihood": loglik}),
            "observed_data": _dataset(
                {k: (("observation",), v) for k, v in observed.items()}
            ),
            "constant_data": constant,
            "posterior_predictive": _sampled(predict(some, data, 5), "observation"),
            "prior": _sampled(prior),
            "prior_predictive": _sampled(predict(prior, data, 6), "observation"),
        }
    )


def _dataset(variables: dict[str, Any]) -> xr.Dataset:
    coords = {"subject": list(SUBJECTS), "output": ["concentration"]}
    return xr.Dataset(variables, coords=coords)


def _sampled(values: dict[str, np.ndarray], last: str = "subject") -> xr.Dataset:
    """Arrays [chain, draw] and [chain, draw, last] as a group."""
    dims = ("chain", "draw", last)
    group = _dataset({k: (dims[: v.ndim], v) for k, v in values.items()})
    return group.assign_coords(draw=np.arange(group.sizes["draw"]))


@pytest.fixture(scope="session")
def browser() -> str:
    """The command of a Chromium; .ci/run installs one where it can."""
    found = [name for name in BROWSERS if shutil.which(name)]
    if not found:
        pytest.skip("no Chromium on this machine: install it to open the page")
    return found[0]


@pytest.fixture(scope="session")
def attack() -> str:
    """The identifier that would run, were it not escaped."""
    return ATTACK


@pytest.fixture(scope="session")
def record() -> dict[str, Any]:
    """A finished run's `run.json`, as far as the report reads it."""
    return {
        "run": "20260102T030405-abcdef01",
        "status": "finished",
        "start": "2026-01-02T03:04:05+00:00",
        "fit": {"path": "fits/oral.toml", "text": FIT, "sha256": "0" * 64},
        "model": {"path": "models/oral.py", "source": MODEL, "sha256": "1" * 64},
        "data": {"path": "oral.csv", "sha256": "2" * 64, "rows": 132, "subjects": 12},
        "seed": 1,
        "estimation": {"chains": 2, "warmup": 150, "draws": 150},
        "machine": {"system": "Linux", "versions": {"jax": "0.12"}},
        "result": {"cpu_s": {"warmup": 3.2}, "leapfrogs": {"warmup": 1000}},
    }


@pytest.fixture
def run_folder(small_tree: xr.DataTree, tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a run folder from a tree and the entries of run.json."""

    def write(tree: xr.DataTree | None = None, **record: Any) -> Path:
        used = small_tree if tree is None else tree
        used.to_netcdf(tmp_path / "posterior.nc", engine="h5netcdf")
        (tmp_path / "run.json").write_text(json.dumps(record))
        return tmp_path

    return write
