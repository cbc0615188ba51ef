"""Forecasts of a drug that decays, against quadrature over the one effect that counts.

With all draws of the population alike, the samples of the drug speak of k alone:
log k ~ N(log 0.5, 0.4), log DV ~ N(log 8 - k t, 0.2), and `gone` is ln(8)/k.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from scipy.stats import norm

from imak_pkpd.decide.finished_run import block_factor, read_finished
from imak_pkpd.decide.forecast import Forecast, forecast
from imak_pkpd.decide.forecast_tables import estimand_rows, tables
from imak_pkpd.decide.individual_posterior import Method
from imak_pkpd.decide.new_patients import default_horizon
from imak_pkpd.estimand import Outcome
from imak_pkpd.population import OmegaBlock
from tests.decide.made_run import AFTER_DOSE, decay_draws, decay_run

HEADER = "ID,TIME,EVID,AMT,CMT,DVID,DV,slow\n"
DOSE, HORIZON = 8.0, 4.0
TIMES, DRUG = np.array([1.0, 2.0, 3.0]), np.array([5.0, 2.7, 1.9])


def patient(name: str, times: np.ndarray, drug: np.ndarray) -> str:
    rows = [f"{name},0,1,{DOSE:g},1,.,.,0\n"]
    rows += [
        f"{name},{t:g},0,.,.,1,{x:g},0\n" for t, x in zip(times, drug, strict=True)
    ]
    return "".join(rows)


def forecast_of(
    folder: Path,
    text: str,
    method: Method = "auto",
    spread: float = 0.0,
    horizon: float | None = HORIZON,
) -> tuple[Forecast, ...]:
    """Those of a file, from 64 draws alike or spread."""
    run = read_finished(decay_run(folder, decay_draws(64, spread)))
    (folder / "new.csv").write_text(HEADER + text)
    return forecast(run, folder / "new.csv", horizon, method, seed=2).patients


class Grid(NamedTuple):
    """k and its weights."""

    k: np.ndarray
    weight: np.ndarray

    def mean(self, values: np.ndarray) -> float:
        return float(self.weight @ values)


def quadrature(times: np.ndarray, drug: np.ndarray) -> Grid:
    """10 SD of log k on 4,001 points: the error is far below Monte Carlo."""
    eta = np.linspace(-5.0, 5.0, 4001)
    k = 0.5 * np.exp(0.4 * eta)
    log = norm.logpdf(eta)
    for t, x in zip(times, drug, strict=True):
        log = log + norm.logpdf(np.log(x), np.log(DOSE) - k * t, 0.2)
    weight = np.exp(log - log.max())
    return Grid(k, weight / weight.sum())


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> tuple[Forecast, ...]:
    """A sampled patient, one with a slow decline, one without a sample."""
    text = (
        patient("A", TIMES, DRUG)
        + patient("B", TIMES, np.array([6.6, 5.6, 4.4]))
        + patient("C", np.zeros(0), np.zeros(0))
    )
    return forecast_of(tmp_path_factory.mktemp("three"), text)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_estimands_meet_the_quadrature(three: tuple[Forecast, ...], place: int) -> None:
    found = three[place]
    times = TIMES if place < 2 else np.zeros(0)
    drug = (DRUG, np.array([6.6, 5.6, 4.4]), np.zeros(0))[place]
    true = quadrature(times, drug)
    effective = found.posterior.sampling.effective_draws
    assert found.posterior.sampling.method == "importance"
    assert found.posterior.sampling.reliable
    gone = np.log(DOSE) / true.k
    crossed = true.mean(gone < HORIZON)
    values = found.estimands
    share = float((values["gone_outcome"] == Outcome.crossed).mean())
    # four Monte Carlo errors of that many draws, here and below
    error = 4 * np.sqrt(crossed * (1 - crossed) / effective)
    assert share == pytest.approx(crossed, abs=error + 1e-12)
    assert not np.isfinite(values["gone"][values["gone_outcome"] != 1]).any()
    assert np.nanmax(np.append(values["gone"], 0.0)) <= HORIZON
    for name, curve in {
        "total": DOSE / true.k * -np.expm1(-true.k * HORIZON),
        "at_end": DOSE * np.exp(-true.k * HORIZON),
        "soon": DOSE / true.k * -np.expm1(-true.k * 1.0),
    }.items():
        mean = true.mean(curve)
        sd = np.sqrt(true.mean((curve - mean) ** 2))
        here = values[name].mean()
        assert here == pytest.approx(mean, abs=4 * sd / np.sqrt(effective))


def test_the_time_of_a_crossing_is_that_of_those_who_cross(
    three: tuple[Forecast, ...],
) -> None:
    (row,) = (r for r in estimand_rows(three[0]) if r["estimand"] == "gone")
    true = quadrature(TIMES, DRUG)
    gone = np.log(DOSE) / true.k[::-1]  # ascending in time
    inside = np.where(gone < HORIZON, true.weight[::-1], 0.0)
    median = np.interp(0.5, np.cumsum(inside) / inside.sum(), gone)
    spread = row["q95"] - row["q05"]
    # the error of a median of n draws is about 0.4 of the 90 % interval over sqrt(n)
    crossing = row["crossed"] * three[0].posterior.sampling.effective_draws
    assert row["median"] == pytest.approx(median, abs=1.6 * spread / np.sqrt(crossing))
    assert row["q95"] <= HORIZON
    total = row["crossed"] + row["not_crossed"] + row["never_above"]
    assert total == pytest.approx(1.0)
    assert f"{HORIZON:g} after the last dose" in row["definition"]


def test_the_course_begins_at_the_last_record(three: tuple[Forecast, ...]) -> None:
    found = three[0]
    assert (found.time[0], found.time[-1]) == (TIMES[-1], HORIZON)
    assert set(found.course) == {"drug", "burden", "chance"}
    k = found.parameters["k"]
    own = DOSE * np.exp(-k[:, None] * found.time)
    # the steps of the fit have a relative error of 1e-5 each
    np.testing.assert_allclose(found.course["drug"], own, rtol=1e-3)


def test_without_samples_nothing_is_learnt(three: tuple[Forecast, ...]) -> None:
    nobody = three[2]
    before, after = nobody.before["k"], nobody.parameters["k"]
    # 1,000 draws of either: four errors of a difference of medians, in log k
    shift = np.median(np.log(after)) - np.median(np.log(before))
    assert abs(shift) < 4 * 1.25 * 0.4 * np.sqrt(2 / 1000)


def test_a_patient_of_several_is_as_alone(
    tmp_path: Path, three: tuple[Forecast, ...]
) -> None:
    """Padding and neighbours change nothing: the same points have the same weights."""
    (alone,) = forecast_of(tmp_path, patient("A", TIMES, DRUG))
    for name, values in three[0].estimands.items():
        # equal but for the order of sums, 1e-12 of the likelihood
        np.testing.assert_allclose(alone.estimands[name], values, rtol=1e-8)
    assert alone.posterior.sampling.ess == pytest.approx(
        three[0].posterior.sampling.ess, rel=1e-8
    )


def test_importance_tempered_and_nuts_agree(tmp_path: Path) -> None:
    """On a population that is spread, by the ODE."""
    answers = {}
    methods: tuple[Method, ...] = ("importance", "tempered", "nuts")
    for method in methods:
        folder = tmp_path / method
        folder.mkdir()
        text = patient("A", TIMES, DRUG)
        (found,) = forecast_of(folder, text, method, spread=0.1)
        assert found.posterior.sampling.reliable, method
        answers[method] = found
    for name, of in (("k", "parameters"), ("total", "estimands")):
        logs = [np.log(getattr(a, of)[name]) for a in answers.values()]
        sd = logs[0].std()
        middles = [each.mean() / sd for each in logs]
        # 1,000 draws of each, a quarter independent: 4 sqrt(2/250) SD apart at most
        assert np.ptp(middles) < 0.36, (name, middles)
        widths = [each.std() / sd for each in logs]
        assert np.ptp(widths) < 0.25, (name, widths)
    shares = [(a.estimands["gone_outcome"] == 1).mean() for a in answers.values()]
    assert np.ptp(shares) < 4 * np.sqrt(2 * 0.25 / 250)


def test_the_default_horizon_is_that_of_the_fit(tmp_path: Path) -> None:
    run = read_finished(decay_run(tmp_path, decay_draws(8, 0.1)))
    assert default_horizon(run.spec, run.tree) == AFTER_DOSE


def test_tables_have_a_row_for_everything(three: tuple[Forecast, ...]) -> None:
    class Asked(NamedTuple):
        patients: tuple[Forecast, ...]

    made = tables(Asked(three))  # type: ignore[arg-type]
    assert {name: len(frame) for name, frame in made.items()} == {
        "estimands": 3 * 5,
        "parameters": 3 * 2,
        "crossings": 3 * 29,
        "course": 3 * 3 * 61,
        "sampling": 3,
    }
    waiting = made["crossings"].query("patient == 'A'")
    row = made["estimands"].query("patient == 'A' and estimand == 'gone'").iloc[0]
    assert (waiting["time"].iloc[0], waiting["time"].iloc[-1]) == (0.0, HORIZON)
    assert (np.diff(waiting["not_crossed"]) <= 0).all()
    assert waiting["not_crossed"].iloc[-1] == row["not_crossed"]
    assert waiting["not_crossed"].iloc[0] == 1 - row["never_above"]
    low = made["estimands"].query("estimand == 'low'")
    assert low["chance"].all()
    assert low["mean"].between(0, 1).all()


FACTOR = np.array([[1.0, 0.0, 0.0], [0.3, 0.9, 0.0], [-0.2, 0.1, 0.7]])


def kept_of(covariance: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What a run keeps of a block, and the SDs."""
    sd = np.sqrt(np.diag(covariance))
    drawn = {}
    for column, row in ((0, 1), (0, 2), (1, 2)):
        value = covariance[row, column] / sd[row] / sd[column]
        drawn[f"corr_{'abc'[column]}_{'abc'[row]}"] = np.array([value])
    return drawn, sd


def test_the_factor_of_a_covariance_is_made_again() -> None:
    """A block's factor is not kept: it is made of SDs and correlations."""
    said = {"parameters": ["a", "b", "c"], "dist": "InverseWishart", "df": 5.0}
    block = {**said, "scale": [1.0, 1.0, 1.0]}
    omega = OmegaBlock.model_validate({"covariance": block})
    drawn, sd = kept_of(FACTOR @ FACTOR.T)
    drawn |= {f"omega_{n}": sd[i : i + 1] for i, n in enumerate("abc")}
    made = block_factor(omega, omega.blocks[0], drawn)
    np.testing.assert_allclose(made[0], FACTOR, atol=1e-12)


def test_the_factor_of_a_correlation_needs_no_sd() -> None:
    """SDs may be fixed, and are not kept then."""
    lines = {name: {"fixed": 0.5} for name in "abc"}
    block = {"parameters": ["a", "b", "c"], "lkj": 2.0}
    omega = OmegaBlock.model_validate({**lines, "correlation": block})
    drawn, sd = kept_of(FACTOR @ FACTOR.T)
    made = block_factor(omega, omega.blocks[0], drawn)
    np.testing.assert_allclose(made[0], FACTOR / sd[:, None], atol=1e-12)
