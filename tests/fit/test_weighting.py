"""Weighted prior draws against a posterior on paper; their parts against their laws."""

from pathlib import Path

import numpy as np
import pytest

from imak_pkpd.fit.evidence_fit import begin_evidence, run_evidence
from imak_pkpd.fit.fit import begin_again
from imak_pkpd.fit.problem import read_model
from imak_pkpd.fit.progress import Silent
from imak_pkpd.fit.run import POSTERIOR, read_record
from imak_pkpd.fit.sampler import plan_of
from imak_pkpd.fit.scrambles import refined_cohorts
from imak_pkpd.fit.spec import FitSpec, read_fit
from imak_pkpd.fit.terms import terms_of
from imak_pkpd.fit.tree import read_tree
from imak_pkpd.fit.virtual import prior_sites, virtual_cohort
from imak_pkpd.fit.weighting import (
    _solver_errors,
    _told,
    as_attributes,
    inclusion,
    resampled,
    solver_errors,
    systematic,
    weigh,
)
from tests.fit.published_peak import PUBLISHED_PEAK

PRIOR = np.log(20.0), np.log(1.5)
FACT = np.log(100.0 / 8.0), 0.2


@pytest.fixture
def spec(root: Path, tmp_path: Path) -> FitSpec:
    (tmp_path / "fit.toml").write_text(PUBLISHED_PEAK.format(root=root))
    return read_fit(tmp_path / "fit.toml")


def test_the_posterior_on_paper(spec: FitSpec, root: Path) -> None:
    """Mean, SD and evidence within 4 standard errors of the weights."""

    found = weigh(spec, read_model(spec), Silent())
    weight = np.exp(found.log_weight)
    assert weight.sum() == pytest.approx(1.0)
    precision = PRIOR[1] ** -2 + FACT[1] ** -2
    mean = (PRIOR[0] / PRIOR[1] ** 2 + FACT[0] / FACT[1] ** 2) / precision
    sd = precision**-0.5
    theta = found.sites["theta_V1"]
    got = weight @ theta
    se = np.sqrt(np.sum(weight**2 * (theta - got) ** 2))
    assert abs(got - mean) < 4 * se
    spread = np.sqrt(weight @ (theta - got) ** 2)
    assert abs(spread / sd - 1) < 4 / np.sqrt(2 * found.ess)
    total = np.hypot(PRIOR[1], FACT[1])
    evidence = -0.5 * ((PRIOR[0] - FACT[0]) / total) ** 2
    evidence -= np.log(total * np.sqrt(2 * np.pi))
    # of a mean over 4,000 weights whose ESS before choosing is about a third
    assert abs(found.log_evidence - evidence) < 4 / np.sqrt(1000)
    assert found.ess > 500
    said = as_attributes(spec, found)
    assert said["failed"] == 0
    for each in said["scrambles"].values():  # patients are all alike: the same means
        assert each["first"] == pytest.approx(each["second"], rel=1e-9)


def test_a_run_folder(spec: FitSpec, tmp_path: Path) -> None:
    assert plan_of(spec).sampler == "weights"
    small = {"prior_draws": 400, "refined_draws": 100}
    spec, model, folder = begin_evidence(spec, tmp_path / "runs", overrides=small)
    run_evidence(spec, model, folder)
    record = read_record(folder)
    assert record.status == "finished"
    assert record.data is None
    tree = read_tree(folder / POSTERIOR)
    assert list(tree["refined"]["fact"].values) == ["peak", "peak [late]"]
    assert tree["cohort_estimand"]["top"].dims == ("chain", "draw", "cohort")
    refined = tree["refined"].to_dataset()
    own = refined["log_likelihood"].sel(fact="peak") + refined["log_proposal"]
    apart = np.asarray(own - refined["log_weight"])
    np.testing.assert_allclose(apart, apart[0], atol=1e-9)


def test_a_suspect_error_is_measured_on_all_patients(
    root: Path, tmp_path: Path
) -> None:
    """Among few patients one who crosses a threshold is more than the steps' error."""
    varied = "V1 = {{ median = 20.0, gsd = 1.5 }}\n[omega]\nV1 = {{ fixed = 0.4 }}"
    text = PUBLISHED_PEAK.replace("V1 = {{ median = 20.0, gsd = 1.5 }}", varied)
    (tmp_path / "fit.toml").write_text(text.format(root=root))
    spec = read_fit(tmp_path / "fit.toml")
    few = {"trial": virtual_cohort(spec, read_model(spec), "trial")}
    many = refined_cohorts(few, 1)
    sites = prior_sites(few["trial"], draws=8, number=1)
    terms, even = terms_of(spec, many, sites), np.full(8, -np.log(8))
    on_few, on_many = (solver_errors(spec, each, sites) for each in (few, many))
    assert on_few != on_many
    assert _solver_errors(spec, few, sites, terms, even) == on_few
    sure = {"trial": {n: 1 + 1e-12 * x for n, x in terms.means["trial"].items()}}
    known = terms._replace(means=sure)  # so well that any error is too large
    assert _solver_errors(spec, few, sites, known, even) == on_many


def test_progress_counts_the_draws_of_all_cohorts() -> None:
    """Two cohorts solve each draw: half of all is said after the first of them."""

    class Listening(Silent):
        said: list[str] = []

        def stage(self, text: str) -> None:
            self.said.append(text)

    advance = _told(Listening(), "draws", 200, cohorts=2)
    for _ in range(8):  # chunks of 50: four for each cohort
        advance(50)
    assert Listening.said[3] == "draws: 100 of 200"
    assert Listening.said[-1] == "draws: 200 of 200"


def test_chances_of_being_refined() -> None:
    rng = np.random.default_rng(1)
    weight = 3 * rng.standard_normal(2000)
    chance = inclusion(weight, 300)
    assert chance.sum() == pytest.approx(300)
    assert chance.max() <= 1
    assert np.all(np.diff(chance[np.argsort(weight)]) >= -1e-12)
    few = np.where(np.arange(2000) < 100, 0.0, -np.inf)
    np.testing.assert_array_equal(inclusion(few, 300), few == 0)


def test_systematic_choice_keeps_the_chances() -> None:
    """Over 2,000 choices each draw is chosen as often as it should be (4 SE)."""
    rng = np.random.default_rng(2)
    chance = inclusion(rng.standard_normal(50), 10)
    counts = np.zeros(50)
    for _ in range(2000):
        chosen = systematic(chance, rng)
        assert len(set(chosen)) == len(chosen) == 10
        counts[chosen] += 1
    se = np.sqrt(chance * (1 - chance) / 2000) + 1e-12
    assert np.all(np.abs(counts / 2000 - chance) < 4 * se)


def test_resampling_keeps_the_weights() -> None:
    weight = np.log(np.array([0.5, 0.3, 0.2 - 1e-12, 1e-12]))
    found = resampled(weight, 1000, np.random.default_rng(3))
    counts = np.bincount(found, minlength=4)
    np.testing.assert_allclose(counts, [500, 300, 200, 0], atol=1)


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        ('cohort = "trial"', 'cohort = "trail"', "evidence.peak.cohort: there is no"),
        ('of = "top"', 'of = "tip"', "evidence.peak.of: there is no estimand 'tip'"),
        ("central = {", "centre = {", "the model has no such dose (did you mean"),
        (
            'kind = "value", output = "concentration", at = 0.0',
            'kind = "crossing", output = "concentration", below = 1.0',
            "is a crossing, which may have no time",
        ),
        (
            "sd = 0.2",
            'sd = 0.2\nstudy = "phase_1"',
            "evidence.peak.study: there is no [study.phase_1]",
        ),
        (
            "[estimation]",
            '[study.later]\noverlaps = ["lately"]\n[estimation]',
            "study.later.overlaps: there is no study 'lately' (did you mean",
        ),
        (
            "[estimation]",
            '[study.later]\ninformed = ["CLL"]\n[estimation]',
            "study.later.informed: there is no parameter or amount 'CLL' (did you mean",
        ),
        (
            "at = 0.0",
            "at = 5.0",
            "top: it looks 5 h ahead, but cohort trial is followed for 4 after its",
        ),
    ],
)
def test_facts_and_cohorts_must_agree(
    root: Path, tmp_path: Path, old: str, new: str, want: str
) -> None:

    text = PUBLISHED_PEAK.format(root=root)
    assert old in text
    (tmp_path / "fit.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=r"fit\.toml:\d+: ") as refused:
        read_model(read_fit(tmp_path / "fit.toml"))
    assert want in str(refused.value)


@pytest.mark.parametrize("way", ["adapted", "tempered"])
def test_other_ways_give_the_same_posterior(spec: FitSpec, way: str) -> None:
    """On paper, within 4 standard errors of 1,500 draws."""
    block = spec.estimation.model_copy(update={"sampler": way})
    other = spec.model_copy(update={"estimation": block})
    found = weigh(other, read_model(other), Silent())
    assert found.way == way
    precision = PRIOR[1] ** -2 + FACT[1] ** -2
    mean = (PRIOR[0] / PRIOR[1] ** 2 + FACT[0] / FACT[1] ** 2) / precision
    weight, theta = np.exp(found.log_weight), found.sites["theta_V1"]
    # particles that were resampled and moved eight times are worth some two thirds
    assert abs(weight @ theta - mean) < 4 * precision**-0.5 / np.sqrt(1000)
    spread = np.sqrt(weight @ (theta - weight @ theta) ** 2)
    assert abs(spread * precision**0.5 - 1) < 4 / np.sqrt(2 * 1000)
    total = np.hypot(PRIOR[1], FACT[1])
    evidence = -0.5 * ((PRIOR[0] - FACT[0]) / total) ** 2
    evidence -= np.log(total * np.sqrt(2 * np.pi))
    assert abs(found.log_evidence - evidence) < 4 / np.sqrt(1000)


def test_far_facts_are_adapted_to(spec: FitSpec) -> None:
    """A fact five prior SDs away leaves hardly a prior draw: on paper, 4 SE."""
    far = spec.evidence["peak"].model_copy(update={"value": 40.0, "sd": 0.05})
    apart = spec.model_copy(update={"evidence": {"peak": far}})
    found = weigh(apart, read_model(apart), Silent())
    assert found.way == "adapted"
    precision = PRIOR[1] ** -2 + 0.05**-2
    mean = (PRIOR[0] / PRIOR[1] ** 2 + np.log(100.0 / 40.0) / 0.05**2) / precision
    got = np.exp(found.log_weight) @ found.sites["theta_V1"]
    assert found.ess > 1000
    assert abs(got - mean) < 4 * precision**-0.5 / np.sqrt(found.ess)
    total = np.hypot(PRIOR[1], 0.05)
    evidence = -0.5 * ((PRIOR[0] - np.log(100.0 / 40.0)) / total) ** 2
    evidence -= np.log(total * np.sqrt(2 * np.pi))
    assert abs(found.log_evidence - evidence) < 4 / np.sqrt(1000)


def test_what_belongs_to_chains_is_refused(spec: FitSpec, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"got draws, but fit\.toml has no chains"):
        begin_evidence(spec, tmp_path / "runs", overrides={"draws": 10})
    _, _, folder = begin_evidence(spec, tmp_path / "runs")
    with pytest.raises(ValueError, match="start anew"):
        begin_again(folder)
