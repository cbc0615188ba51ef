"""Times to events from a cohort file to the posterior and the report."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from arviz_stats.base import array_stats
from numpyro.infer import MCMC, NUTS
from scipy import stats

from imak_pkpd.check.goodness import goodness, stacked
from imak_pkpd.fit import meshes
from imak_pkpd.fit.explain import explain_start
from imak_pkpd.fit.fit import fit
from imak_pkpd.fit.meshes import event_mesh
from imak_pkpd.fit.meshing import make_meshes
from imak_pkpd.fit.posterior import population_model
from imak_pkpd.fit.problem import read_problem
from imak_pkpd.fit.simulate import Simulator
from imak_pkpd.fit.spec import FitSpec, read_fit
from imak_pkpd.fit.synthesis import simulate_cohort
from imak_pkpd.fit.tree import read_tree
from imak_pkpd.report import write_report
from tests.fit.hazard_trial import MODELS, TRUTH, make_problem, outputs

FIXED = "\n".join(f"{n} = {{ fixed = {v} }}" for n, v in TRUTH.items() if n != "b")
FIT = f"""problem = "death and relapse"
model = "{MODELS / "hazards.py"}"
[data]
file = "tte.csv"
time = "day"
synthetic = true
[output.gompertz]
unit = "1/day"
dvid = 1
error = "event"
[output.constant]
unit = "1/day"
dvid = 2
error = "event"
[output.weibull]
unit = "1/day"
dvid = 3
error = "event"
event = "interval"
[theta]
b = {{ median = 0.02, gsd = 1.5 }}
{FIXED}
[omega]
b = {{ dist = "HalfNormal", scale = 0.3 }}
form = "z"
[estimation]
chains = 2
warmup = 100
draws = 100
"""
COHORT = """subjects = {subjects}
[sample]
gompertz = {{ times = [0, 30] }}
constant = {{ times = [0, 30] }}
weibull = {{ times = [0, 4, 8, 16, 30] }}
[truth]
b_pop = 0.02
omega_b = 0.3
"""


def written(folder: Path, subjects: int) -> FitSpec:
    """The fit beside its synthetic patients."""
    (folder / "tte.toml").write_text(FIT)
    (folder / "cohort.toml").write_text(COHORT.format(subjects=subjects))
    spec = read_fit(folder / "tte.toml")
    (folder / "tte.csv").write_text(simulate_cohort(spec, folder / "cohort.toml", 4))
    return spec


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    spec = written(tmp_path_factory.mktemp("tte"), 300)
    assert read_problem(spec).dataset.findings == ()
    return pd.read_csv(spec.folder / "tte.csv", na_values=".")


def last_rows(patients: pd.DataFrame, dvid: int) -> pd.DataFrame:
    return patients[patients["DVID"] == dvid].groupby("ID").last()


def test_synthetic_patients_end_at_the_first_exact_event(
    patients: pd.DataFrame,
) -> None:
    death, relapse = last_rows(patients, 1), last_rows(patients, 2)
    np.testing.assert_array_equal(death["TIME"], relapse["TIME"])
    assert (death["DV"] + relapse["DV"]).max() == 1
    assert ((death["DV"] + relapse["DV"] == 1) | (death["TIME"] == 30)).all()
    visits = last_rows(patients, 3)
    assert (visits["TIME"] <= death["TIME"]).all()
    assert visits["TIME"].isin((0, 4, 8, 16, 30)).all()
    assert (patients.groupby("ID")["TIME"].diff().dropna() >= 0).all()


def test_synthetic_times_have_the_law_of_their_hazards(patients: pd.DataFrame) -> None:
    """The constant hazard r: its events, Poisson given the time at risk; times of the
    first exact event: uniform by 1 - S, Kolmogorov-Smirnov, of those before the end.
    """
    death, relapse = last_rows(patients, 1), last_rows(patients, 2)
    expected = TRUTH["r"] * relapse["TIME"].sum()
    assert abs(relapse["DV"].sum() - expected) < 4 * np.sqrt(expected)
    # S of both over patients whose b is log-normal, omega 0.3
    b = TRUTH["b"] * np.exp(0.3 * stats.norm.ppf((np.arange(200) + 0.5) / 200))
    grown = lambda t: np.expm1(TRUTH["g"] * t) / TRUTH["g"]  # noqa: E731
    survival = lambda t: (  # noqa: E731
        np.exp(-TRUTH["r"] * t) * np.exp(-b[:, None] * grown(np.atleast_1d(t))).mean(0)
    )
    ended = death.loc[death["TIME"] < 30, "TIME"]
    part = (1 - survival(ended.to_numpy())) / (1 - survival(30.0))
    assert len(ended) > 250
    assert stats.kstest(part, "uniform").pvalue > 0.001


def test_visits_find_the_events_between_them(patients: pd.DataFrame) -> None:
    """Of those seen at 4 days 1 - exp(-(4/s)^shape) had one; 4 standard errors."""
    first = patients[(patients["DVID"] == 3) & (patients["TIME"] == 4)]["DV"]
    chance = stats.weibull_min(TRUTH["shape"], scale=TRUTH["s"]).cdf(4.0)
    error = np.sqrt(chance * (1 - chance) / len(first))
    assert abs(first.mean() - chance) < 4 * error


def test_replicates_are_events_in_the_rows_of_the_data(tmp_path: Path) -> None:
    """0 until 1, then nothing; 2,000 draws of one window; 4 standard errors."""
    problem = make_problem(
        tmp_path, outputs(constant="exact"), "1,0,1,0\n1,5,1,0\n1,9,1,0\n1,20,1,1\n"
    )
    simulator = Simulator(problem.spec, problem.model, {})
    sites = {f"theta_{n}": np.full(2000, np.log(v)) for n, v in TRUTH.items()}
    drawn = simulator(sites, problem.schedule, event_mesh(problem), jax.random.key(3))
    seen = drawn["replicate"][:, 0]
    events = np.nansum(seen, axis=1)
    assert set(np.unique(events)) == {0.0, 1.0}
    assert (np.isnan(seen[:, 2]) == (seen[:, 1] == 1)).all()
    chance = -np.expm1(-5 * TRUTH["r"])
    error = np.sqrt(chance * (1 - chance) / 2000)
    assert abs(seen[:, 1].mean() - chance) < 4 * error
    # the martingale residuals of the data: DV less r times the window
    wanted = np.array([0, 0, 0, 1]) - TRUTH["r"] * np.array([0, 5, 4, 11])
    np.testing.assert_allclose(drawn["iwres"][0, 0], wanted, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(drawn["ipred"][:, 0], TRUTH["r"], rtol=1e-14)


def test_sixty_exponential_times_against_the_exact_posterior(tmp_path: Path) -> None:
    """Gamma(2, 20) before, Gamma(2 + events, 20 + time at risk) after: mean and SD
    within 4 Monte Carlo standard errors, and no quantile off by 1.63 / sqrt(ESS), the
    1 % point of Kolmogorov and Smirnov."""
    times = np.random.default_rng(8).exponential(10.0, 60)
    event, end = times < 25, np.minimum(times, 25.0)
    rows = "".join(
        f"{i},0,1,0\n{i},{t!r},1,{int(dead)}\n"
        for i, (t, dead) in enumerate(zip(end.tolist(), event, strict=True))
    )
    problem = make_problem(
        tmp_path,
        outputs(relapse="exact"),
        rows,
        model="constant_hazard.py",
        theta='r = { dist = "Gamma", concentration = 2, rate = 20 }',
    )
    function = population_model(problem.spec, problem.model, {})
    args = jax.tree.map(jnp.asarray, (problem.schedule, event_mesh(problem)))
    mcmc = MCMC(NUTS(function), num_warmup=500, num_samples=4000, progress_bar=False)
    mcmc.run(jax.random.key(5), *args)
    drawn = np.asarray(mcmc.get_samples(group_by_chain=True)["theta_r"])
    wanted = stats.gamma(2 + event.sum(), scale=1 / (20 + end.sum()))
    size = float(array_stats.ess(drawn, method="bulk"))
    assert size > 1000
    assert abs(drawn.mean() - wanted.mean()) < 4 * wanted.std() / np.sqrt(size)
    assert abs(drawn.std() - wanted.std()) < 4 * wanted.std() / np.sqrt(2 * size)
    assert stats.kstest(drawn.ravel(), wanted.cdf).statistic < 1.63 / np.sqrt(size)


def test_a_mesh_too_coarse_for_a_hazard_is_halved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weibull's hazard reads no state, so that nothing but its integral asks for steps:
    the reference, on half of them, sees what a few steps lose."""
    monkeypatch.setattr(meshes, "HAZARD_STEPS", 3)
    rows = "".join(f"{i},0,1,0\n{i},20,1,{i % 2}\n" for i in range(20))
    problem = make_problem(tmp_path, outputs(weibull="interval"), rows)
    begun = event_mesh(problem)
    made = make_meshes(problem, {}, explain_start(problem, {}))
    assert made.certificate is not None
    assert made.certificate.certified
    assert made.certificate.p99 > 1e-6  # it is no comparison of a mesh with itself
    assert begun is not None
    assert made.meshes.patients is not None
    assert made.meshes.patients.nodes > 2 * begun.nodes


def test_a_hazard_without_states_is_certified_too(tmp_path: Path) -> None:
    """A constant one: steps make no error, so rounding is left (1e-12)."""
    problem = make_problem(
        tmp_path,
        outputs(relapse="exact"),
        "1,0,1,0\n1,7,1,1\n2,0,1,0\n2,11,1,0\n",
        model="constant_hazard.py",
        theta='r = { dist = "Gamma", concentration = 2, rate = 20 }',
    )
    made = make_meshes(problem, {}, explain_start(problem, {}))
    assert made.certificate is not None
    assert made.certificate.p99 < 1e-12


@pytest.mark.slow
@pytest.mark.filterwarnings("error::UserWarning")
def test_a_fit_and_its_report(tmp_path: Path) -> None:
    """The mesh is certified with its hazards; the report says what it leaves out."""
    spec = written(tmp_path, 12)
    run = fit(spec, tmp_path)
    tree = read_tree(run / "posterior.nc")
    b = np.asarray(tree["posterior"]["b_pop"])
    assert np.quantile(b, 0.001) < 0.02 < np.quantile(b, 0.999)
    assert json.loads(tree.attrs["certificate"])["certified"]
    good, replicate = goodness(tree), stacked(tree, "replicate")
    assert set(np.unique(replicate[~np.isnan(replicate)])) == {0.0, 1.0}
    assert np.isfinite(good.iwres).all()
    write_report(run)
    text = (run / "report.html").read_text()
    assert "VPC of gompertz, constant, weibull" in text
    assert "Cox and Snell" in text
    assert "it could not be made" not in text
