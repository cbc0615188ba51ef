"""BOIN12 against the paper's formula by hand, beta tails, and the very patients."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from imak_pkpd.choice import Boin12Block
from imak_pkpd.cli.decision import designs
from imak_pkpd.cli.screen import console
from imak_pkpd.decide.boin12 import INDEPENDENT, Scored, ranks, scored
from imak_pkpd.decide.decision import DoseDecision, decide
from imak_pkpd.decide.document import dose_document, dose_frame
from imak_pkpd.decide.of_run import decide_run
from imak_pkpd.decide.store import write_decision
from imak_pkpd.decide.words import boin12_sentence, sentence
from imak_pkpd.fit.grammar import FitError
from imak_pkpd.fit.problem import read_model
from imak_pkpd.model import AbstractModel
from imak_pkpd.report.blocks import Prose, Table
from imak_pkpd.report.run import read_run
from imak_pkpd.report.sections.dose import designs as report_designs, recommendation
from tests.decide.toy import responses, toy, toy_sites, toy_spec
from tests.decide.toy_run import toy_run

BATCHES, DRAWS = 20, 10_000
BETWEEN = 4.5  # Monte Carlo errors that a share may be off: 1 in 150,000
CHANCES = """\
works = { kind = "value", output = "gain", at = 0.0, chance = true, dose = "a" }
hurts = { kind = "value", output = "harm", at = 0.0, chance = true, dose = "b" }
"""
CHOICE = """\
[decision]
cohort = "trial"
utility = "works - 1e-3*hurts"
draws = 4
patients = 16
[decision.amount]
a = { levels = [1.0, 2.0, 4.0] }
b = { levels = [0.5, 1.5, 2.5] }
"""
RULES = """\
[decision.boin12]
toxicity = "hurts"
efficacy = "works"
phi_t = 0.35
phi_e = 0.25
u2 = 40.0
u3 = 60.0
"""
SITES = toy_sites(40)


def block(u2: float = 40.0, u3: float = 60.0) -> Boin12Block:
    return Boin12Block(toxicity="t", efficacy="e", phi_t=0.35, phi_e=0.25, u2=u2, u3=u3)


def test_the_benchmark_is_that_of_the_paper_by_hand() -> None:
    """Lin et al. 2020: u = 100 q(1-p) + 40 (1-q)(1-p) + 60 q p at the limits."""
    # 100 * 0.25 * 0.65 + 40 * 0.75 * 0.65 + 60 * 0.25 * 0.35
    assert block().lowest == pytest.approx(16.25 + 19.5 + 5.25)
    assert block().benchmark == pytest.approx(41.0 + 59.0 / 2)
    outcomes = [(0.0, 1.0), (0.0, 0.0), (1.0, 1.0), (1.0, 0.0)]
    assert [block().score(t, e) for t, e in outcomes] == [100.0, 40.0, 60.0, 0.0]


@pytest.mark.parametrize(
    ("toxic", "effective", "admitted"),
    [(3, 4, True), (1, 8, True), (7, 4, False), (2, 0, False)],
)
def test_beta_posteriors_have_their_tails(
    toxic: int, effective: int, admitted: bool
) -> None:
    """Of 10 patients with so many events, uniform priors, as in the paper.

    With u2 = 0 and u3 = 100 the utility is 100 q_E, with u2 = 100 and u3 = 0 it is
    100 (1 - p_T), so that the desirability is a beta tail too.
    """
    rng = np.random.default_rng(toxic)
    p = stats.beta(1 + toxic, 11 - toxic)
    q = stats.beta(1 + effective, 11 - effective)
    p_draws, q_draws = (each.rvs((BATCHES, DRAWS), random_state=rng) for each in (p, q))
    for u2, u3, tail in (
        (0.0, 100.0, lambda u_b: q.sf(u_b / 100)),
        (100.0, 0.0, lambda u_b: p.cdf(1 - u_b / 100)),
    ):
        rules = block(u2, u3)
        found = scored(rules, p_draws, q_draws, rules.score(p_draws, q_draws))
        true = (p.sf(0.35), q.cdf(0.25), tail(rules.benchmark))
        error = [BETWEEN * np.sqrt(x * (1 - x) / BATCHES / DRAWS) for x in true]
        got = (found.toxic, found.futile, found.desirability)
        assert (np.abs(np.subtract(got, true)) < np.maximum(error, 1e-5)).all()
        assert found.admissible == (true[0] < 0.95 and true[1] < 0.90) == admitted
        binomial = np.sqrt(true[2] * (1 - true[2]) / BATCHES / DRAWS)
        # the spread of 20 batches is known to 1/sqrt(38) = 16 %
        assert found.desirability_se == pytest.approx(binomial, rel=0.6)


def test_ties_of_desirability_are_ranked_by_utility() -> None:
    def one(utility: float, desirability: float, admissible: bool = True) -> Scored:
        return Scored(utility, 0.0, 0.0, desirability, 0.0, admissible)

    rows = [one(50.0, 0.0), one(60.0, 0.0), one(90.0, 0.9, False), one(40.0, 0.1), None]
    assert ranks(rows) == [3, 2, None, 1, None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("boin12")


@pytest.fixture(scope="module")
def decision(folder: Path) -> DoseDecision:
    return chosen(folder, RULES)


def chosen(folder: Path, rules: str) -> DoseDecision:
    spec = toy_spec(folder, CHANCES + CHOICE + rules)
    model = read_model(spec)
    assert issubclass(model, AbstractModel)
    return decide(spec, model, SITES, {"a": None, "b": None})


def test_a_design_has_the_numbers_of_its_patients(
    decision: DoseDecision, folder: Path
) -> None:
    """Patient by patient in NumPy: four outcomes, each with its worth."""
    _, some = toy(folder, CHANCES + CHOICE + RULES)
    s, r = responses(some)
    verdicts = set()
    for row in decision.rows:
        q, p = row.amounts["a"] * s, row.amounts["b"] * r
        outcomes = 100 * q * (1 - p) + 40 * (1 - q) * (1 - p) + 60 * q * p
        utility = outcomes.mean(-1)
        assert row.boin12 is not None
        assert row.boin12.toxic == np.mean(p.mean(-1) > 0.35)
        assert row.boin12.futile == np.mean(q.mean(-1) < 0.25)
        assert row.boin12.utility == pytest.approx(utility.mean(), rel=1e-9)
        assert row.boin12.desirability == np.mean(utility > 70.5)
        verdicts.add((row.boin12.toxic < 0.95, row.boin12.futile < 0.90))
    assert len(verdicts) == 4  # safe or not, effective or not


def test_it_is_said_beside_the_recommendation(decision: DoseDecision) -> None:
    """Both are named where they differ; the recommendation is the utility's own."""
    frame, said = dose_frame(decision), dose_document(decision)
    first = frame[frame.boin12_rank == 1].iloc[0]
    assert (first.a, first.b) == (4.0, 0.5)
    assert frame[~frame.boin12_admissible].boin12_rank.isna().all()
    assert said["boin12"]["sentence"] == boin12_sentence(decision)
    assert said["boin12"]["u_b"] == pytest.approx(70.5)
    assert "independent given the patient's own" in said["boin12"]["assumption"]
    assert (
        "P(hurts > 0.35) < 0.95 and P(works < 0.25) < 0.9" in said["boin12"]["sentence"]
    )
    assert (
        "Most desirable: a 4, b 0.5, where P(mean utility > 70.5 of 100) is"
        in (said["boin12"]["sentence"])
    )
    assert "it is the recommended design too" in said["boin12"]["sentence"]
    json.dumps(said, allow_nan=False)


def test_another_recommendation_stays(folder: Path) -> None:
    """A limit that BOIN12 does not know, and a utility that likes harm."""
    text = CHOICE.replace("- 1e-3*hurts", "+ hurts") + RULES
    limit = "[decision.limit]\nworks = { at_most = 0.3 }\n"
    spec = toy_spec(folder, CHANCES + text + limit)
    model = read_model(spec)
    assert issubclass(model, AbstractModel)
    found = decide(spec, model, SITES, {"a": None, "b": None})
    assert sentence(found).startswith("Recommended: a 2, b 2.5")
    said = boin12_sentence(found)
    assert "(it does not keep: works); the recommendation by utility" in said


def test_no_design_is_admissible_is_said(folder: Path) -> None:
    found = chosen(folder, RULES.replace("phi_t = 0.35", "phi_t = 0.01"))
    assert boin12_sentence(found).endswith("0 of 9 designs are admissible.")


def test_the_terminal_has_the_columns(
    decision: DoseDecision, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = console()
    screen.print(designs(decision))
    out = capsys.readouterr().out
    for words in ("hurts >", "works <", "desirability", "(rank 1)", "(not admissible)"):
        assert words in out


def test_the_files_and_the_report_have_it(folder: Path) -> None:
    run = toy_run(folder, CHANCES + CHOICE + RULES)
    decision = decide_run(run)
    written = write_decision(run, decision)
    frame = pd.read_csv(written / "doses.csv", comment="#")
    assert sorted(frame.boin12_rank.dropna()) == list(
        range(1, 1 + frame.boin12_admissible.sum())
    )
    shown = read_run(run, anonymise=False)
    said = [block.text for block in recommendation(shown) if isinstance(block, Prose)]
    assert f"{boin12_sentence(decision)} {INDEPENDENT}" in said
    table = next(iter(report_designs(shown)))
    assert isinstance(table, Table)
    for name, column in (
        ("P(hurts > 0.35)", "boin12_toxic"),
        ("P(works < 0.25)", "boin12_futile"),
        ("BOIN12 desirability", "boin12_desirability"),
    ):
        assert [row[name] for row in table.rows] == list(frame[column])


def test_without_the_block_nothing_is_said(folder: Path) -> None:
    found = chosen(folder, "")
    assert boin12_sentence(found) == ""
    assert dose_document(found)["boin12"] is None
    assert not [name for name in dose_frame(found) if "boin12" in name]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"hurts"', '"hurst"', "toxicity: there is no estimand 'hurst' (did you mean"),
        ('"works"', '"gone"', "efficacy: 'gone' is not the probability of an outcome"),
        ('"works"', '"gain"', "efficacy: 'gain' is not the probability of an outcome"),
    ],
)  # fmt: skip
def test_what_is_no_chance_is_refused_with_its_line(
    folder: Path, old: str, new: str, said: str
) -> None:
    rules = RULES.replace(old, new)
    spec = toy_spec(folder, CHANCES + CHOICE + rules)
    lines = (folder / "toy.toml").read_text().splitlines()
    line = 1 + next(
        i for i, text in enumerate(lines) if new in text and "= {" not in text
    )
    with pytest.raises(FitError) as caught:
        read_model(spec)
    assert str(caught.value).startswith(f"toy.toml:{line}: decision.boin12.{said}")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("u2 = 40.0", "u2 = 140.0", "u2: got 140.0"),
        ("phi_t = 0.35", "phi_t = 1", "phi_t: got 1"),
        ("u3", "c_s = 0.9\nu3", "unknown key 'c_s' (did you mean 'c_"),
        ("u3 = 60.0\n", "", "the key 'u3' is missing"),
        ('"hurts"', '"works"', "'works' is toxicity and efficacy: name two"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_line(
    folder: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(FitError, match=r"toy\.toml:\d+: decision\.boin12") as caught:
        toy_spec(folder, CHANCES + CHOICE + RULES.replace(old, new))
    assert said in str(caught.value)
