"""The next dose of a drug that decays: each number in closed form at every draw."""

from pathlib import Path

import numpy as np
import pytest

from imak_pkpd.decide.finished_run import read_finished
from imak_pkpd.decide.forecast import own_parameters
from imak_pkpd.decide.next_dose import NextDose, NextDoses, next_doses
from imak_pkpd.decide.next_folder import next_frame
from tests.decide.made_run import (
    DECAY_DATA,
    DECAY_FIT,
    DECAY_MODEL,
    decay_draws,
    made_run,
)

DECISION = """\
[cohort.like]
patients = 16
horizon = 20.0
[cohort.like.covariate]
slow = { median = 0.5 }
[cohort.like.dose]
drug = { times = [0.0], amount = 16.0, per = "slow" }
[decision]
cohort = "like"
utility = "minimum(at_end, 1.0) - 0.01*drug"
margin = 0.001
[decision.amount]
drug = { levels = [4.0, 12.0, 40.0], cap = 15.0 }
[decision.limit]
total = { at_most = 40.0 }
"""
SLOW = 0.5  # the rate is (1 - 0.5 * 0.5) k, an amount counts half
FILE = f"""ID,TIME,EVID,AMT,CMT,DVID,DV,slow
A,0,1,8,1,.,.,{SLOW}
A,1,0,.,.,1,5.5,{SLOW}
A,3,0,.,.,1,2.6,{SLOW}
"""
TIMES, HORIZON = (4.0, 6.0), 5.0
END = max(TIMES) + HORIZON
AMOUNTS = {4.0: 2.0, 12.0: 6.0, 40.0: 15.0}  # what the patient gets: half, capped


def decay_with_decision(folder: Path, fit: str = DECAY_FIT + DECISION) -> Path:
    return made_run(folder, DECAY_MODEL, fit, DECAY_DATA, decay_draws(64, 0.1))


def answer(folder: Path, file: str = FILE, times: tuple = TIMES) -> NextDoses:
    run = read_finished(decay_with_decision(folder))
    (folder / "new.csv").write_text(file)
    return next_doses(run, folder / "new.csv", times, HORIZON, seed=3)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> NextDose:
    (one,) = answer(tmp_path_factory.mktemp("next")).patients
    return one


def loss_rate(found: NextDose) -> np.ndarray:
    """By draw of the patient's posterior."""
    records = found.posterior.patient.records
    return 0.75 * own_parameters(records, found.posterior.sites)["k"]


def drug_at(rate: np.ndarray, time: float, given: float, at: float) -> np.ndarray:
    return 8.0 * np.exp(-rate * time) + given * np.exp(-rate * (time - at))


def test_every_option_has_its_closed_form(found: NextDose) -> None:
    """Utility, area and their differences at the very draws: the solver's 1e-5 and its
    cubic between nodes leave 1e-4."""
    rate = loss_rate(found)
    plain = drug_at(rate, END, 0.0, 0.0)
    assert len(found.rows) == 1 + len(TIMES) * len(AMOUNTS)
    assert found.draws == len(rate)
    for row in found.rows:
        planned = row.option.amounts.get("drug", 0.0)
        given, at = AMOUNTS.get(planned, 0.0), row.option.time or 0.0
        end = drug_at(rate, END, given, at)
        utility = np.minimum(end, 1.0) - 0.01 * planned
        gain = utility - np.minimum(plain, 1.0)
        area = drug_at(rate, at, given, at) * -np.expm1(-rate * (END - at)) / rate
        assert row.utility == pytest.approx(utility.mean(), abs=1e-4)
        assert row.gain == pytest.approx(gain.mean(), abs=1e-4)
        error = gain.std() / np.sqrt(found.posterior.sampling.effective_draws)
        assert row.gain_se == pytest.approx(error, rel=1e-3, abs=1e-6)
        assert row.limits["total"] == pytest.approx(area.mean(), rel=1e-4)
        assert row.means["total"] == pytest.approx(row.limits["total"], rel=1e-12)
        assert row.unsolved == 0.0


def test_the_best_that_keeps_the_limit(found: NextDose) -> None:
    """Shares of draws are a probability; who breaks the limit is never best."""
    kept = [row for row in found.rows if row.limits["total"] <= 40.0]
    assert 0 < len(kept) < len(found.rows)
    assert all(row.admissible == (row in kept) for row in found.rows)
    assert found.chosen is not None
    assert found.rows[found.chosen].utility == max(row.utility for row in kept)
    assert found.chosen in found.as_good
    assert sum(row.best for row in found.rows) == pytest.approx(1.0)
    assert all(row.best == 0.0 for row in found.rows if row not in kept)
    assert found.rows[found.chosen].loss == min(row.loss for row in kept)


def test_nothing_is_gained_by_nothing(found: NextDose) -> None:
    first = found.rows[0]
    assert first.option.words == "no further dose"
    assert (first.gain, first.gain_se) == (0.0, 0.0)


def test_a_time_before_the_last_record(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--at: got 2, .* patient A is at 3 .*:4\)"):
        answer(tmp_path, times=(2.0,))


def test_the_column_that_amounts_count_per(tmp_path: Path) -> None:
    fit = (DECAY_FIT + DECISION).replace('per = "slow"', 'per = "WT"')
    fit = fit.replace(
        "[cohort.like.dose]", "WT = { median = 70.0 }\n[cohort.like.dose]"
    )
    run = read_finished(decay_with_decision(tmp_path, fit))
    (tmp_path / "new.csv").write_text(FILE)
    with pytest.raises(ValueError, match=r"counted per WT.*add WT to \[data\]"):
        next_doses(run, tmp_path / "new.csv", TIMES, HORIZON)


def test_a_fit_without_a_decision(tmp_path: Path) -> None:
    run = read_finished(decay_with_decision(tmp_path, DECAY_FIT))
    (tmp_path / "new.csv").write_text(FILE)
    with pytest.raises(ValueError, match=r"no \[decision\]"):
        next_doses(run, tmp_path / "new.csv", TIMES)


def test_two_patients_are_two_answers(tmp_path: Path, found: NextDose) -> None:
    """The first is as alone but for the points of its weights: 5 Monte Carlo errors."""
    other = FILE.replace("A,", "B,").split("\n", 1)[1].replace("2.6", "0.9")
    both = answer(tmp_path, FILE + other)
    assert [each.name for each in both.patients] == ["A", "B"]
    first, second = both.patients
    for ours, alone in zip(first.rows, found.rows, strict=True):
        spread = 5 * np.hypot(ours.gain_se, alone.gain_se) + 1e-4
        assert ours.gain == pytest.approx(alone.gain, abs=spread)
    assert loss_rate(second).mean() > loss_rate(first).mean()
    frame = next_frame(both)
    assert list(frame["patient"]) == ["A"] * 7 + ["B"] * 7
