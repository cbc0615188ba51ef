"""Which day is worth drawing: on paper for a line, by our own posteriors for a decay,
by quadrature for a second dose."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from imak_pkpd.decide.assays import assayed
from imak_pkpd.decide.finished_run import read_finished
from imak_pkpd.decide.forecast import forecast, own_parameters
from imak_pkpd.decide.imagined import imagine, known, standard_patient
from imak_pkpd.decide.sample_days import Question, SampleDays, sample_days
from imak_pkpd.decide.sample_tables import sentences, varying
from imak_pkpd.decide.sample_worth import variance_reduction
from imak_pkpd.fit.problem import read_problem
from tests.decide.made_run import (
    DECAY_DATA,
    decay_draws,
    decay_run,
    line_draws,
    line_run,
)
from tests.decide.toy_run import OMEGA_S, toy_run

ASSAY = """[output.gain]
unit = ""
error = "lognormal"
sigma = { fixed = 0.2 }
"""
SIGMA = 0.2
WEIGHT = 1.111  # of the square: the second dose is a gain below s = 0.1
SECOND = f"""
[decision]
cohort = "trial"
utility = "gain - {WEIGHT}*gain**2"
draws = 4
patients = 16
[decision.amount]
a = {{ levels = [3.0] }}
[decision.times]
a = {{ options = [[0.0], [0.0, 4.0]] }}
"""
LIMITED = f"""{SECOND}
[decision.limit]
gain = {{ at_most = 0.01 }}
"""


def test_a_line_is_narrowed_by_what_is_on_paper(tmp_path: Path) -> None:
    """Of a + 9 b by a level at each time: cov^2/(var var), a known population; within
    four of the stated errors."""
    one = {name: value[0] for name, value in line_draws(2, sigma=0.5).items()}
    run = line_run(tmp_path, {n: np.full(256, v) for n, v in one.items()})
    finished, days = read_finished(run), (0.0, 1.0, 3.0, 6.0)
    problem = read_problem(finished.spec)
    patient, population = standard_patient(finished, problem)
    assays = assayed(finished.spec, problem.model, None, (), days, problem)
    draws = known(patient, population, 4000, 1)
    made = imagine(draws, assays, 1)
    own = own_parameters(patient.ahead, draws.sites)
    later = (own["a"] + 9.0 * own["b"])[:, None]
    both = one["corr_a_b"] * one["omega_a"] * one["omega_b"]
    omega = np.array([[one["omega_a"] ** 2, both], [both, one["omega_b"] ** 2]])
    seen, target = np.stack([np.ones(4), days], 1), np.array([1.0, 9.0])
    noise = one["level_sigma"] ** 2
    for place in range(len(days)):
        row = seen[place]
        covariance = target @ omega @ row
        paper = covariance**2 / (target @ omega @ target * (row @ omega @ row + noise))
        reading = made.reported["level"][:, place]
        (found,) = variance_reduction(later, reading, made.blocks)
        assert abs(found.value - paper) < 4 * found.se, days[place]
        assert found.se < 0.02


def test_it_agrees_with_the_posteriors_of_simulated_samples(tmp_path: Path) -> None:
    """The drug of day 2 at 16 even quantiles of what was simulated: each one's
    posterior, by weights, as a forecast finds it.

    Four errors of the regression, and 0.02: sixteen points for an integral, and
    posteriors of 1,000 draws whose variances are known to 4 % each.
    """
    run = read_finished(decay_run(tmp_path, decay_draws(512, 0.1)))
    answer = sample_days(run, Question(days=(2.0,), outputs=("drug",)))
    found = {each.quantity: each.reduction for each in answer.narrowed}
    problem = read_problem(run.spec)
    patient, population = standard_patient(run, problem)
    draws = known(patient, population, 4000, 1)
    made = imagine(draws, answer.assays, 1)
    levels = np.quantile(made.reported["drug"], (np.arange(16) + 0.5) / 16)
    rows = [
        f"{i},0,1,8,1,.,.,0\n{i},2,0,.,.,1,{level:.5f},0\n"
        for i, level in enumerate(levels)
    ]
    (tmp_path / "new.csv").write_text(DECAY_DATA.partition("\n")[0] + "\n")
    with (tmp_path / "new.csv").open("a") as file:
        file.writelines(rows)
    after = forecast(run, tmp_path / "new.csv", horizon=6.0).patients
    for name in ("total", "at_end"):
        left = np.mean([each.estimands[name].var() for each in after])
        nested = 1 - left / made.estimands[name].var()
        assert abs(found[name].value - nested) < 4 * found[name].se + 0.02, name


def second_dose(
    folder: Path, decision: str, days: tuple[float, ...], patients: int
) -> SampleDays:
    run = read_finished(toy_run(folder, decision))
    (folder / "assays.toml").write_text(ASSAY)
    asked = Question(assays=folder / "assays.toml", days=days, patients=patients)
    return sample_days(run, asked)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> SampleDays:
    folder = tmp_path_factory.mktemp("second")
    return second_dose(folder, SECOND, (0.0, 2.0, 4.0, 6.0), 4000)


def gain_on_paper(sigma: float) -> float:
    """E max(0, E[U(6 s) - U(3 s) | log s + error]) - max(0, E[U(6 s) - U(3 s)])."""
    mean, variance = np.log(0.1), OMEGA_S**2
    share = variance / (variance + sigma**2)
    left = variance * (1 - share)
    z = np.linspace(-8, 8, 4001)
    middle = mean + np.sqrt(variance * share) * z
    s, square = np.exp(middle + left / 2), np.exp(2 * middle + 2 * left)
    better = 3 * s - 27 * WEIGHT * square
    weight = norm.pdf(z) / norm.pdf(z).sum()
    return float(weight @ np.maximum(better, 0) - max(weight @ better, 0.0))


def test_the_second_dose_is_open_until_it_is_given(found: SampleDays) -> None:
    """Within four errors of quadrature before day 4; exactly nothing from then on."""
    before, after = found.gained[:2], found.gained[2:]
    for each in before:
        assert each.designs == 2
        assert abs(each.gain.value - gain_on_paper(SIGMA)) < 4 * each.gain.se
        assert each.gain.se < 0.2 * each.gain.value
        assert abs(each.bound.value - gain_on_paper(0.0)) < 4 * each.bound.se
        assert 0 < each.gain.value <= each.bound.value
        assert found.evpi == each.bound
    for each in after:
        assert (each.designs, each.gain, each.bound) == (1, (0.0, 0.0), (0.0, 0.0))
    assert found.choice.startswith("A choice is open on some of these days")


def test_no_admissible_design_is_said(tmp_path: Path) -> None:
    found = second_dose(tmp_path, LIMITED, (1.0,), 200)
    assert found.gained == ()
    assert found.evpi is None
    assert "No design is admissible" in found.choice


def test_the_gain_itself_is_narrowed_as_on_paper(found: SampleDays) -> None:
    """gain = dose s: log-normal by log-normal. Of exp(X) by X + e the share is
    (exp(v^2/(v + sigma^2)) - 1)/(exp(v) - 1), v the variance of X."""
    v = OMEGA_S**2
    paper = np.expm1(v**2 / (v + SIGMA**2)) / np.expm1(v)
    for each in (n.reduction for n in found.narrowed if n.quantity == "gain"):
        assert abs(each.value - paper) < 4 * each.se
        assert each.se < 0.03
    assert "harm" in varying(found)  # r varies, but s says nothing of it
    for each in (n.reduction for n in found.narrowed if n.quantity == "harm"):
        assert abs(each.value) < 4 * each.se


def test_the_best_day_is_named_with_those_like_it(found: SampleDays) -> None:
    """The toy's gain stays: no day is better than another; of harm none tells."""
    said = list(sentences(found))
    (gain,) = (each for each in said if each.startswith("gain:"))
    assert "not told apart: gain on " in gain
    assert any(each.startswith("harm: no sample tells anything") for each in said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ASSAY.replace('unit = ""', 'unit = "mg"'), "assay gain in 'mg'"),
        (ASSAY.replace("gain", "gian"), r"no such output \(did you mean 'gain'\?\)"),
        ("[outptu.gain]\n", "unknown key 'outptu'"),
        ("[output]\n", "does not say how well any output is measured"),
    ],
)
def test_assays_that_do_not_suit_the_model(
    tmp_path: Path, text: str, said: str
) -> None:
    run = read_finished(toy_run(tmp_path, SECOND))
    (tmp_path / "assays.toml").write_text(text)
    with pytest.raises(ValueError, match=said):
        sample_days(run, Question(assays=tmp_path / "assays.toml", days=(1.0,)))
