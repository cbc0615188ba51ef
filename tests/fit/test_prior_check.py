"""What the priors of the full model say of outcomes, against the reference's tables.

Source of every number: shared/science/check.md, sections 1 (A, B) and 3, of which the
number of patients is 300 (A), 60 trials of 33 (B) and 200 (section 3).

Tolerance: 3 standard errors of the difference, plus half of the last printed digit.
Theirs: independent patients (a reading below the threshold is yes or no; cure, grades
and GVHD are means of probabilities), and in B the variance between 60 draws. Ours: as
printed, which is too large for quasi-random patients; in B both draws and patients.
The reference keeps patients inside bounds, this cohort does not: with the same bounds
no mean of B moved by more than 0.001. Their times lie on a grid of 0.125 d, at most
that much before the crossing.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from imak_pkpd.check.prior_table import prior_frame
from imak_pkpd.fit.prior_predictive import PriorPredictive, prior_predictive
from imak_pkpd.fit.spec import read_fit

pytestmark = pytest.mark.slow
YES_OR_NO = {"cr", "cr_before", "low_day_6", "cr, not cr_before"}
BURDEN = "tum_log10B0"
IN_A, IN_B, TRIALS, IN_SCENARIO = 300, 1980, 60, 200

# section 1: estimand, A, B, and half of the last digit of each
CHANCES = [
    ("cr", 0.67, 0.68, 0.005, 0.005),
    ("cr_before", 0.30, 0.32, 0.005, 0.005),
    ("cure", 0.36, 0.35, 0.005, 0.005),
    ("low_day_6", 0.987, 0.952, 0.0005, 0.0005),
    ("gvhd", 0.003, 0.023, 0.0005, 0.0005),
    ("grade_1", 0.38, 0.43, 0.005, 0.005),
    ("grade_2", 0.11, 0.16, 0.005, 0.005),
    ("grade_3", 0.020, 0.047, 0.0005, 0.0005),
    ("grade_4", 0.002, 0.009, 0.0005, 0.0005),
]
CLASSES = [  # CR and cure by log10 burden: A, then B
    (f"{BURDEN} < 9", (1.00, 0.43), (0.99, 0.43)),
    (f"{BURDEN} >= 9, < 10", (0.83, 0.45), (0.80, 0.43)),
    (f"{BURDEN} >= 10, < 11", (0.38, 0.28), (0.40, 0.25)),
    (f"{BURDEN} >= 11", (0.13, 0.11), (0.12, 0.07)),
]
TIMES = [  # 5, 50, 95 % of patients
    ("t_rej", "medians", (0.5, 2.1, 4.4)),
    ("t_rej", "trials", (0.0, 2.0, 6.0)),
    ("t_rej_pcr", "medians", (2.6, 4.0, 6.8)),
    ("t_rej_pcr", "trials", (2.1, 4.0, 8.8)),
]
COUNTS = [  # of 33: 5, 50, 95 % of trials
    ("cr", (15, 22.5, 30)),
    ("cure", (2, 10, 24)),
    ("gvhd", (0, 0, 3)),
    ("grade_4", (0, 0, 1)),
]
# section 3: CR, CR not at baseline, cure, GVHD, chimerism below 0.5 % on day 6
COLUMNS = ("cr", "cr, not cr_before", "cure", "gvhd", "low_day_6")
DIGITS = (0.005, 0.005, 0.005, 0.0005, 0.005)
SCENARIOS = [
    ("", 0.65, 0.53, 0.37, 0.007, 0.99),
    ("no_donor", 0.30, 0.12, 0.01, 0.0, None),
    ("donor_only", 0.44, 0.24, 0.04, 0.007, 0.99),
    ("bystander_only", 0.61, 0.49, 0.39, 0.007, 0.99),
    ("no_il2", 0.62, 0.48, 0.32, 0.001, 1.00),
    ("no_rejection", 0.90, 0.86, 0.88, 0.67, 0.50),
    ("haplo", 0.63, 0.50, 0.34, 0.006, 0.99),
    ("unrelated", 0.70, 0.58, 0.41, 0.007, 0.99),
    ("rituximab", 0.80, 0.72, 0.48, 0.007, 0.99),
    ("no_rituximab", 0.58, 0.43, 0.28, 0.007, 0.99),
    ("dose_3", 0.78, 0.70, 0.41, 0.030, 0.88),
    ("burden_low", 0.87, 0.64, 0.44, 0.007, 0.99),
    ("burden_high", 0.38, 0.32, 0.22, 0.007, 0.99),
    ("saturation", 0.62, 0.49, 0.13, 0.007, 0.99),
    ("donor_strong", 0.68, None, 0.46, 0.007, 0.99),
    ("host_strong", 0.64, None, 0.43, 0.007, 0.99),
]


class Prior(NamedTuple):
    found: PriorPredictive
    frame: pd.DataFrame


@pytest.fixture(scope="module")
def prior(root: Path) -> Prior:
    found = prior_predictive(read_fit(root / "fits/190-imak-prior.toml"))
    frame = prior_frame(found, size=33)
    return Prior(found, frame.set_index(["part", "where", "estimand"]))


def variance(prior: Prior, part: str, where: str, name: str) -> float:
    """Of the outcome between patients, for one population."""
    row = prior.frame.loc[(part, where, name)]
    if name in YES_OR_NO:
        return row["mean"] * (1.0 - row["mean"])
    there = (
        prior.found.scenarios[where]
        if part == "scenario"
        else prior.found.medians
        if part == "medians"
        else prior.found.drawn
    )
    return float(np.nanmean(np.nanvar(there[name], axis=1)))


def at_medians(prior: Prior, part: str, where: str, name: str, n: float) -> float:
    """Standard error of the difference; n of their patients are counted."""
    own = prior.frame.loc[(part, where, name)].se
    return math.sqrt(variance(prior, part, where, name) / n + own**2)


def at_draws(prior: Prior, where: str, name: str, share: float = 1.0) -> float:
    """The same in B; their between-draw variance is ours, for 60 draws."""
    row = prior.frame.loc[("trials", where, name)]
    draws, patients = prior.found.drawn["failed"].shape
    one = variance(prior, "trials", where, name)
    between = row.se**2 * (1.0 + draws / TRIALS)
    within = one / share * (1.0 / IN_B + 1.0 / patients)
    return math.sqrt(between + within)


def share_of(prior: Prior, part: str, where: str) -> float:
    """Of patients in a class."""
    inside = prior.frame.loc[(part, where, "cr")].patients
    return inside / prior.frame.loc[(part, "", "cr")].patients


@pytest.mark.parametrize("line", CHANCES, ids=lambda line: line[0])
def test_chances(prior: Prior, line: tuple) -> None:
    name, a, b, digit_a, digit_b = line
    ours = prior.frame.loc[("medians", "", name), "mean"]
    error = at_medians(prior, "medians", "", name, IN_A)
    assert ours == pytest.approx(a, abs=3 * error + digit_a)
    ours = prior.frame.loc[("trials", "", name), "mean"]
    error = at_draws(prior, "", name)
    assert ours == pytest.approx(b, abs=3 * error + digit_b)


@pytest.mark.parametrize(("where", "a", "b"), CLASSES)
def test_classes_of_burden(prior: Prior, where: str, a: tuple, b: tuple) -> None:
    for name, theirs_a, theirs_b in zip(("cr", "cure"), a, b, strict=True):
        n = IN_A * share_of(prior, "medians", where)
        ours = prior.frame.loc[("medians", where, name), "mean"]
        error = at_medians(prior, "medians", where, name, n)
        assert ours == pytest.approx(theirs_a, abs=3 * error + 0.005), name
        ours = prior.frame.loc[("trials", where, name), "mean"]
        error = at_draws(prior, where, name, share_of(prior, "trials", where))
        assert ours == pytest.approx(theirs_b, abs=3 * error + 0.005), name


@pytest.mark.parametrize(("name", "part", "theirs"), TIMES)
def test_times(prior: Prior, name: str, part: str, theirs: tuple) -> None:
    """The share of our patients before their quantile; 0 where never above."""
    there = prior.found.medians if part == "medians" else prior.found.drawn
    outcome = there[f"{name}_outcome"]
    times = np.where(outcome == 0, 0.0, np.where(outcome == 2, np.inf, there[name]))
    for p, time in zip((0.05, 0.5, 0.95), theirs, strict=True):
        early, late = times < time - 0.05, times <= time + 0.05 + 0.125
        error = math.sqrt(p * (1 - p) * (1 / IN_A + 1 / times.shape[1]))
        if part == "trials":
            draws = late.mean(1).std(ddof=1) * math.sqrt(1 / TRIALS + 1 / len(late))
            error = math.hypot(
                draws, math.sqrt(p * (1 - p) * (1 / IN_B + 1 / times.shape[1]))
            )
        assert early.mean() - 3 * error <= p <= late.mean() + 3 * error, (p, time)


@pytest.mark.parametrize(("name", "theirs"), COUNTS)
def test_counts(prior: Prior, name: str, theirs: tuple) -> None:
    """Quantiles over trials; their errors by drawing 60 of our trials, and all."""
    row = prior.frame.loc[("trials", "", name)]
    means = np.nanmean(prior.found.drawn[name], axis=1)
    rng = np.random.default_rng(1)
    error = np.hypot(*(spread(means, n, rng) for n in (TRIALS, len(means))))
    ours = np.array([row.trial_q05, row.trial_q50, row.trial_q95])
    assert np.all(np.abs(ours - theirs) <= 3 * error + 0.5), (ours, error)


def spread(means: np.ndarray, trials: int, rng: np.random.Generator) -> np.ndarray:
    """SD of the quantiles of a count over so many trials."""
    counts = rng.binomial(33, rng.choice(means, (2_000, trials)))
    return np.quantile(counts, (0.05, 0.5, 0.95), axis=1).std(axis=1)


@pytest.mark.parametrize("line", SCENARIOS, ids=lambda line: line[0] or "as it is")
def test_scenarios(prior: Prior, line: tuple) -> None:
    where, part = line[0], "scenario" if line[0] else "medians"
    for name, theirs, digit in zip(COLUMNS, line[1:], DIGITS, strict=True):
        if theirs is None:
            continue
        n = float(IN_SCENARIO)
        if name == "cr, not cr_before":
            n *= 1.0 - prior.frame.loc[(part, where, "cr_before"), "mean"]
        ours = prior.frame.loc[(part, where, name), "mean"]
        error = at_medians(prior, part, where, name, n)
        assert ours == pytest.approx(theirs, abs=3 * error + digit), name


def test_grade_3_without_rejection(prior: Prior) -> None:
    """Section 3, in the row of no rejection: 0.88."""
    at = ("scenario", "no_rejection", "grade_3")
    error = at_medians(prior, *at, IN_SCENARIO)
    assert prior.frame.loc[at, "mean"] == pytest.approx(0.88, abs=3 * error + 0.005)


def test_nobody_is_lost(prior: Prior) -> None:
    """Who cannot be solved is counted: fewer than 1 in 10,000."""
    failed = prior.found.drawn["failed"]
    assert failed.mean() < 1e-4
    row = prior.frame.loc[("trials", "", "cr")]
    assert row.patients + row.unsolved == failed.size
