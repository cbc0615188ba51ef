"""Draws against posteriors known in closed form; same seed, same bits."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import pytest
from arviz_stats.base import array_stats
from rich.console import Console

from imak_pkpd.fit.estimation import EstimationBlock
from imak_pkpd.fit.progress import ChainReport, LiveTable, Silent
from imak_pkpd.fit.sample import Draws, sample
from imak_pkpd.fit.stages import stages
from imak_pkpd.fit.target import Target, constrain_draws, target

SIZE = 6
_mix = np.random.default_rng(1).normal(size=(SIZE, SIZE))
COVARIANCE = _mix @ _mix.T + 0.05 * np.eye(SIZE)  # condition number about 300
MEAN = np.arange(SIZE) - 2.0


def gaussian(mean: jax.Array) -> None:
    numpyro.sample("x", dist.MultivariateNormal(mean, jnp.asarray(COVARIANCE)))


def drawn(
    folder: Path,
    mean: np.ndarray = MEAN,
    model: Callable = gaussian,
    **settings: object,
) -> Draws:
    chosen = {"chains": 4, "warmup": 200, "draws": 500, **settings}
    density = target(model, (mean,))
    how = {n: chosen.pop(n) for n in ("block_s", "cores", "progress") if n in chosen}
    return sample(
        density,
        (mean,),
        EstimationBlock.model_validate(chosen),
        folder,
        {"model": "gaussian"},
        **how,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"start": "prior"},
        {"metric": "diagonal", "start": "prior"},
        {"method": "vectorised"},
        {"metric_from": "gradients", "start": "prior"},
        {"metric_from": "gradients", "metric": "diagonal", "method": "vectorised"},
    ],
    ids=["map", "prior", "diagonal", "vectorised", "gradients", "gradients-diagonal"],
)
def test_mean_and_covariance_of_a_gaussian(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    draws = drawn(tmp_path / "run", **settings)
    assert draws.positions.shape == (4, 500, SIZE)
    sd = np.sqrt(np.diag(COVARIANCE))
    for i in range(SIZE):
        one = draws.positions[..., i]
        size = float(array_stats.ess(one, chain_axis=0, draw_axis=1, method="mean"))
        # four standard errors: 36 means over the six settings
        assert abs(one.mean() - MEAN[i]) < 4 * sd[i] / np.sqrt(size)
    found = np.cov(draws.positions.reshape(-1, SIZE).T)
    # an SD from more than 400 effective draws has an error of 3.5 %, four of them
    np.testing.assert_allclose(np.sqrt(np.diag(found)), sd, rtol=0.14)


def test_statistics_are_those_of_nuts(tmp_path: Path) -> None:
    draws = drawn(tmp_path / "run")
    kept = draws.statistics
    assert {name: value.shape for name, value in kept.items()} == dict.fromkeys(
        kept, (4, 500)
    )
    assert draws.warmup["step_size"].shape == (4, 200)
    residual = draws.positions - MEAN
    quadratic = np.einsum(
        "cdi,ij,cdj->cd", residual, np.linalg.inv(COVARIANCE), residual
    )
    constant = -0.5 * np.linalg.slogdet(2 * np.pi * COVARIANCE)[1]
    np.testing.assert_allclose(kept["lp"], constant - 0.5 * quadratic, rtol=1e-9)
    # kinetic energy of six unit momenta: mean 3, SD √3 per draw
    kinetic = kept["energy"] + kept["lp"]
    assert kinetic.mean() == pytest.approx(3.0, abs=4 * np.sqrt(3 / 2000))
    # a tree of depth j has at least 2^(j-1) and at most 2^j - 1 leapfrogs
    assert np.all(kept["n_steps"] <= 2 ** kept["tree_depth"] - 1)
    assert np.all(kept["n_steps"] >= 2 ** (kept["tree_depth"] - 1))
    assert np.ptp(kept["step_size"], axis=1).max() == 0.0
    assert kept["acceptance_rate"].mean() == pytest.approx(0.95, abs=0.04)
    assert draws.leapfrogs["sampling"] == kept["n_steps"].sum()
    assert min(draws.cpu_s.values()) >= 0.0


def test_equal_seeds_give_equal_bits_however_it_is_run(tmp_path: Path) -> None:
    first = drawn(tmp_path / "a").sha256
    assert drawn(tmp_path / "b", cores=1, block_s=0.01).sha256 == first
    assert drawn(tmp_path / "a").sha256 == first  # read back
    assert drawn(tmp_path / "c", seed=2).sha256 != first


class Failing(Silent):
    """A disk that is full after some blocks."""

    def __init__(self, blocks: int) -> None:
        self.left = blocks

    def chain(self, report: ChainReport) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError("disk full")


@pytest.mark.parametrize("method", ["threads", "vectorised"])
def test_a_fit_that_failed_half_way_continues(tmp_path: Path, method: str) -> None:
    short = {"warmup": 60, "draws": 40, "method": method, "block_s": 0.0}
    expected = drawn(tmp_path / "whole", **short).sha256
    for blocks in (3, 100, 140):  # of some 340, a draw each: warm-up and sampling
        with pytest.raises(OSError, match="disk full"):
            drawn(tmp_path / "run", progress=Failing(blocks), **short)
    assert drawn(tmp_path / "run", **short).sha256 == expected


def test_other_data_of_the_same_size_compile_nothing(tmp_path: Path) -> None:
    compiled: list[str] = []

    def fresh(mean: jax.Array) -> None:
        gaussian(mean)

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        drawn(tmp_path / "a", model=fresh, draws=120)
        before = len(compiled)
        draws = drawn(tmp_path / "b", MEAN + 100.0, fresh, draws=120)
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert len(compiled) == before > 0
    assert draws.positions.mean() == pytest.approx(MEAN.mean() + 100.0, abs=1.0)


def test_failed_solves_are_counted_and_kept(tmp_path: Path) -> None:
    """A half-normal by a wall: its mean is √(2/π), and proposals do cross the wall."""

    def walled(scale: jax.Array) -> None:
        x = numpyro.sample("x", dist.Normal(0.0, 10.0 * scale))
        numpyro.factor("l", dist.Normal(0.0, 1.0).log_prob(x))
        numpyro.factor("wall", jnp.where(x > 0.0, 0.0, -jnp.inf))

    density = target(walled, (1.0,))
    settings = EstimationBlock(chains=2, warmup=200, draws=1000, start="prior")
    draws = sample(density, (1.0,), settings, tmp_path / "run", {"model": "wall"})
    assert draws.positions.min() > 0.0
    assert np.all(draws.failures < 0.0)
    failed = draws.statistics["failed_solves"]
    assert 0 < len(draws.failures) <= failed.sum()
    assert np.array_equal(failed, draws.statistics["diverging"])


def test_windows_cover_the_warmup() -> None:
    for warmup in (20, 33, 100, 500, 2001):
        *windows, sampling = stages(warmup, 10, 4)
        assert sum(window.draws for window in windows) == warmup
        assert all(window.draws > 0 for window in windows)
        assert [w.first for w in windows[1:]] == [
            w.first + w.draws for w in windows[:-1]
        ]
        assert (sampling.draws, sampling.adapt, sampling.learn) == (10, False, False)
    assert [w.learn for w in stages(500, 10, 4)] == [False, True, True, True] + 2 * [
        False
    ]
    early = stages(500, 10, 4, "gradients")
    assert [w.learn for w in early] == 5 * [True] + 2 * [False]
    # 15 draws of 2 chains are too few to correct a metric
    few = stages(300, 10, 2, "gradients")
    assert [w.learn for w in few][:2] == [False, True]


def test_all_chains_sample_with_one_step_size(tmp_path: Path) -> None:
    draws = drawn(tmp_path / "run", draws=20, metric_from="gradients")
    assert len(np.unique(draws.statistics["step_size"])) == 1
    learnt = draws.warmup["step_size"][:, -1]
    assert len(np.unique(learnt)) == 4
    # what each had averaged lies about as far from its last step as dual averaging
    # swings (its steps differ by a factor of two or three), their mean among them
    assert learnt.min() / 2 < draws.statistics["step_size"][0, 0] < learnt.max() * 2


def test_the_live_table_has_a_row_per_chain() -> None:
    console = Console(record=True, width=120)
    with LiveTable(console) as progress:
        progress.stage("warmup")
        progress.chain(ChainReport(1, "warmup", 25, 50, 0.931, 0.25, 15.2, 3, 0))
        progress.chain(ChainReport(0, "warmup", 50, 50, 0.8, 0.5, 7.0, 0, 0))
    lines = console.export_text().splitlines()
    rows = [line.split() for line in lines if "warmup" in line and "/" in line]
    assert [row[0] for row in rows[-2:]] == ["1", "2"]
    assert rows[-1][1:3] == ["warmup", "25/50"]
    assert rows[-1][-5:] == ["0.93", "0.25", "15", "3", "0"]


@pytest.fixture(scope="module")
def eight_schools(cases: Path) -> tuple[Target, tuple, Path]:
    folder = cases / "eight-schools-gold"
    data = pd.read_csv(folder / "data.csv")
    y, sd = (jnp.asarray(data[c].to_numpy(float)) for c in data.columns[-2:])

    def model(y: jax.Array, sd: jax.Array) -> None:
        mu = numpyro.sample("mu", dist.Normal(0.0, 5.0))
        tau = numpyro.sample("tau", dist.HalfCauchy(5.0))
        with numpyro.plate("school", 8):
            z = numpyro.sample("z", dist.Normal(0.0, 1.0))
            theta = numpyro.deterministic("theta", mu + tau * z)
            numpyro.sample("y", dist.Normal(theta, sd), obs=y)

    return target(model, (y, sd)), (y, sd), folder


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_eight_schools_as_the_gold_standard(
    eight_schools: tuple[Target, tuple, Path], tmp_path: Path, seed: int
) -> None:
    """The limits are those that the case states."""
    density, args, folder = eight_schools
    settings = EstimationBlock(draws=5000, warmup=1000, seed=seed)
    draws = sample(density, args, settings, tmp_path / "run", {"model": "eight"})
    values = constrain_draws(density, args, draws.positions)
    named = {"mu": values["mu"], "tau": values["tau"]} | {
        f"theta[{i + 1}]": values["theta"][..., i] for i in range(8)
    }
    reference = tomllib.loads((folder / "reference.toml").read_text())
    gold = pd.read_csv(folder / "posterior_draws.csv.gz")
    for name, known in reference["reference"][0]["estimates"].items():
        one = named[name]
        size = float(array_stats.ess(one, chain_axis=0, draw_axis=1))
        z = abs(one.mean() - known["mean"]) / known["sd"]
        assert z <= 0.05 + 3 * np.sqrt(1 / size + 1 / 10000), name
        assert abs(one.std() / known["sd"] - 1) <= 0.08, name
        assert float(array_stats.rhat(one, chain_axis=0, draw_axis=1)) <= 1.01
        distance = np.abs(_ranks(one.ravel(), gold[name].to_numpy())).max()
        # Kolmogorov-Smirnov at 0.001: 1.95 √(1/n + 1/m), n effective draws
        assert distance <= 1.95 * np.sqrt(1 / size + 1 / len(gold)), name


def _ranks(ours: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Difference of the two empirical distribution functions at every draw."""
    places = np.sort(np.concatenate([ours, gold]))
    return np.searchsorted(np.sort(ours), places, "right") / len(ours) - (
        np.searchsorted(np.sort(gold), places, "right") / len(gold)
    )
