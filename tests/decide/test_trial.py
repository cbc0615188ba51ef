"""Simulated trials of the answers: exact sums, assurance, and what an order changes."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import betabinom, binom, fisher_exact

from imak_pkpd.decide.trial.arms import placed_arms
from imak_pkpd.decide.trial.characteristics import characteristics, figures, p_values
from imak_pkpd.decide.trial.simulate import Trials
from imak_pkpd.evidence import drawn_patients
from imak_pkpd.fit.grammar import FitError
from imak_pkpd.fit.problem import read_model
from imak_pkpd.fit.virtual import with_patients
from imak_pkpd.model import AbstractModel
from tests.decide.trial_toy import (
    answers_sites,
    answers_spec,
    answers_trials,
    trial_text,
)

SIZE = 20
YES = """
[trial.endpoint.yes]
of = "yes"
against = "without"
"""
LOST = """
dropout = { share = 0.1, by = 4.0 }
death = { share = 0.2, by = 4.0 }
"""
REVERSED = """
[trial.arm.with]
group = { treated = 1.0 }
[trial.arm.without]
group = { treated = 0.0 }
"""
WITHOUT, WITH = (6.0, 14.0), (10.0, 10.0)  # Beta posteriors of the two chances
ALPHA = 0.025


def fisher_passes() -> np.ndarray:
    """Whether the one-sided test is passed, [yes with, yes without], by SciPy."""
    found = np.empty((SIZE + 1, SIZE + 1))
    for here in range(SIZE + 1):
        for there in range(SIZE + 1):
            table = [[here, SIZE - here], [there, SIZE - there]]
            found[here, there] = fisher_exact(table, alternative="greater").pvalue
    return found <= ALPHA


def power(here: np.ndarray, there: np.ndarray) -> float:
    """The chance to pass where the counts have these probabilities."""
    return float(here @ fisher_passes() @ there)


COUNTS = np.arange(SIZE + 1)


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> Trials:
    """2000 trials at one truth."""
    folder = tmp_path_factory.mktemp("fixed")
    text = trial_text(YES, "draws = 40\nrepeats = 50\n")
    return answers_trials(folder, text, answers_sites(40, 0.3, 0.6))


def test_power_and_error_are_the_exact_sums(fixed: Trials) -> None:
    """Within 4 Monte Carlo errors of 2000 trials that have nothing in common."""
    shown = characteristics(fixed)
    (compared,), (endpoint,) = shown.compared, shown.endpoints
    low, high = (binom.pmf(COUNTS, SIZE, p) for p in (0.3, 0.6))
    exact, size = power(high, low), power(low, low)
    assert size <= ALPHA  # Fisher's test keeps its level
    error = np.sqrt(exact * (1 - exact) / 2000)
    assert abs(compared.success.mean - exact) < 4 * error
    assert compared.success.se == pytest.approx(error, rel=0.5)  # of 40 draws: 11 %
    assert endpoint.false_success is not None
    assert abs(endpoint.false_success.mean - size) < 4 * np.sqrt(size / 2000)
    # all draws are alike: nothing is left of the spread of 0.07 by chance
    assert compared.power_sd < 0.04
    assert compared.p_better == 1.0
    assert compared.difference.mean == pytest.approx(0.3)
    assert compared.if_not.mean != compared.if_not.mean  # there is no such draw
    picks = binom.cdf(COUNTS - 1, SIZE, 0.3) + 0.5 * low
    assert endpoint.picks_best is not None
    assert endpoint.picks_best.mean == pytest.approx(picks @ high, abs=0.02)


def test_what_trials_report_spreads_as_counts_do(fixed: Trials) -> None:
    """Patients are drawn, not quasi-random: the variance is that of a binomial."""
    seen = figures(fixed, "yes", "without")
    # the variance of 2000 variances of nearly normal numbers: 3 %; 4 times that
    assert np.var(seen) == pytest.approx(0.3 * 0.7 / SIZE, rel=0.13)
    assert seen.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / SIZE / 2000))
    assert fixed.unsolved == {"without": 0.0, "with": 0.0}
    assert fixed.error < 1e-12  # a chance that is a parameter


@pytest.fixture(scope="module")
def uncertain() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return answers_sites(400, rng.beta(*WITHOUT, 400), rng.beta(*WITH, 400))


@pytest.fixture(scope="module")
def assured(
    tmp_path_factory: pytest.TempPathFactory, uncertain: dict[str, np.ndarray]
) -> Trials:
    folder = tmp_path_factory.mktemp("assured")
    text = trial_text(YES, "draws = 400\nrepeats = 2\n")
    return answers_trials(folder, text, uncertain)


def test_assurance_is_that_of_beta_binomial_counts(assured: Trials) -> None:
    """Over a Beta posterior of each arm counts are beta-binomial: an exact sum."""
    (compared,) = characteristics(assured).compared
    low, high = (betabinom.pmf(COUNTS, SIZE, *ends) for ends in (WITHOUT, WITH))
    exact = power(high, low)
    assert abs(compared.success.mean - exact) < 4 * compared.success.se
    # 800 trials in pairs: no more than pairs that are alike, no less than trials alone
    alone = np.sqrt(exact * (1 - exact) / 800)
    assert alone * 0.9 < compared.success.se < alone * np.sqrt(2) * 1.1
    powers = [group.power.mean for group in compared.groups]
    assert powers[0] < exact < powers[-1]
    assert compared.if_not.mean < 0.05 < compared.if_better.mean


def test_the_order_of_arms_changes_no_number(
    tmp_path: Path, assured: Trials, uncertain: dict[str, np.ndarray]
) -> None:
    """Nor does it matter that the same is asked again."""
    text = trial_text(YES, "draws = 400\nrepeats = 2\n", REVERSED)
    again = answers_trials(tmp_path, text, uncertain)
    for arm in ("with", "without"):
        np.testing.assert_array_equal(
            figures(assured, "yes", arm), figures(again, "yes", arm)
        )
    np.testing.assert_array_equal(
        p_values(assured, "yes", "with"), p_values(again, "yes", "with")
    )


def test_new_patients_are_those_of_the_cohort(tmp_path: Path) -> None:
    """Who is in no group gets nothing there: the same as a schedule without it."""
    spec = answers_spec(tmp_path, trial_text(YES))
    model = read_model(spec)
    assert issubclass(model, AbstractModel)
    assert spec.trial is not None
    sites = answers_sites(12, 0.3, 0.6)
    block = spec.trial.model_copy(update={"arm": {"as_it_is": spec.trial.arm["with"]}})
    half = block.arm["as_it_is"].model_copy(update={"group": {}})
    block = block.model_copy(update={"arm": {"as_it_is": half}})
    (arm,) = placed_arms(spec, block, model, sites)
    who = drawn_patients(arm.design, arm.effects, 24, np.random.default_rng(5))
    assert 0 < who.columns["treated"].sum() < 24
    drawn = {name: value[0] for name, value in sites.items()}
    plain = with_patients(arm.cohort, who).outcomes(drawn, ["yes"])
    found = arm.values(drawn, who)
    np.testing.assert_allclose(found["yes"], plain["yes"], rtol=1e-9)
    np.testing.assert_allclose(
        found["yes"], np.where(who.columns["treated"] == 1, 0.6, 0.3), rtol=1e-9
    )


ENDPOINT = '[trial.endpoint.yes]\nof = "yes"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (trial_text(ENDPOINT.replace("yes", "yess")), "(did you mean 'yes'?)"),
        (
            trial_text(ENDPOINT + 'against = "wihout"\n'),
            "there is no arm 'wihout' (did you mean 'without'?)",
        ),
        (
            trial_text(ENDPOINT, arms="[trial.arm.one]\ngroup = { treted = 1.0 }\n"),
            "the only arm is held to itself",
        ),
        (
            trial_text(
                ENDPOINT + "against = 0.3\n",
                arms="[trial.arm.one]\ngroup = { treted = 1.0 }\n",
            ),
            "no group 'treted' (did you mean 'treated'?)",
        ),
        (trial_text(ENDPOINT + "against = 3.0\n"), "a share is between 0 and 1"),
        (trial_text(ENDPOINT + "at = 30.0\n"), "it is seen 30 after the start"),
        (trial_text(ENDPOINT + "later_than = 3.0\n"), "'yes' is no crossing"),
        (
            trial_text('[trial.endpoint.soon]\nof = "soon"\nlater_than = 3.0\n'),
            "'soon' looks no further than 2",
        ),
        (
            trial_text('[trial.endpoint.gain]\nof = "gain"\n', LOST.strip() + "\n"),
            "'gain' is a number, which cannot be a failure",
        ),
        (
            trial_text('[trial.endpoint.gone]\nof = "gone"\nagainst = 3.0\n'),
            "'gone' is a time",
        ),
        (trial_text(ENDPOINT, 'death = { of = "gon" }\n'), "(did you mean 'gone'?)"),
        (trial_text(ENDPOINT, 'death = { of = "yes" }\n'), "say by when, by = ..."),
        (trial_text(ENDPOINT, "death = { share = 0.1 }\n"), "say by when, by = ..."),
        (
            trial_text(ENDPOINT, "dropuot = { share = 0.1, by = 2.0 }\n"),
            "(did you mean 'dropout'?)",
        ),
        (
            trial_text(ENDPOINT + 'betr = "more"\n'),
            "unknown key 'betr' (did you mean 'better'?)",
        ),
    ],
)
def test_what_does_not_agree_is_one_sentence(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(FitError, match=r"answers\.toml") as caught:
        read_model(answers_spec(tmp_path, text))
    assert said in str(caught.value)


def test_a_trial_changes_no_posterior(tmp_path: Path) -> None:
    with_trial = answers_spec(tmp_path, trial_text(ENDPOINT)).sha256
    assert answers_spec(tmp_path, "").sha256 == with_trial
