"""The whole decision of the toy: table, choice, and what would change it."""

from pathlib import Path

import numpy as np
import pytest

from imak_pkpd.decide.decision import DoseDecision, decide
from imak_pkpd.decide.designs import layouts, shown_amounts
from imak_pkpd.decide.document import dose_document, dose_frame
from imak_pkpd.fit.grammar import FitError
from imak_pkpd.fit.problem import read_model
from imak_pkpd.model import AbstractModel
from tests.decide.toy import responses, toy, toy_sites, toy_spec

CHOICE = """
[decision]
cohort = "trial"
utility = "gain - 0.25*gain**2 - 0.01*a"
draws = 4
patients = 16
"""
AMOUNT = """
[decision.amount]
a = { low = 1.0, high = 100.0, points = 5, digits = 2 }
"""
LIMIT = """
[decision.limit]
gain = { at_most = 0.8 }
"""
NEVER = """
[decision.limit]
gain = { at_most = 0.01 }
"""
LEVELS = """
[decision.amount]
a = { levels = [2.0, 8.0, 32.0], cap = 20.0 }
[decision.times]
b = { options = [[0.0], [0.0, 1.0]], split = true }
[decision.group]
odd = [0.0, 1.0]
"""
SITES = toy_sites(40)


def chosen(folder: Path, text: str, seen: tuple[float, float] | None) -> DoseDecision:
    spec = toy_spec(folder, CHOICE + text)
    model = read_model(spec)
    assert issubclass(model, AbstractModel)
    return decide(spec, model, SITES, {"a": seen})


def test_the_rounded_optimum_is_chosen(tmp_path: Path) -> None:
    """By expected utility on paper, with 2 % between two rounded amounts."""
    found = chosen(tmp_path, AMOUNT, (1.0, 9.0))
    assert found.chosen is not None
    assert found.optimum is not None
    row, best = found.rows[found.chosen], found.optimum.amounts[0]
    # E[s^n] over draws and patients; some 1 % of Monte Carlo error in each
    s1, s2 = (np.exp(n * np.log(0.1) + n**2 * 0.05) for n in (1, 2))
    assert best == pytest.approx((s1 - 0.01) / (0.5 * s2), rel=0.05)
    assert row.amounts["a"] == float(f"{best:.1e}")
    assert row.utility <= found.optimum.utility
    assert row.utility == pytest.approx(found.optimum.utility, abs=1e-3)
    assert row.extrapolated == ("a",)
    assert found.chosen in found.as_good
    assert found.error < 1e-6  # nothing moves in the toy's first state
    assert sum(each.best for each in found.rows) == pytest.approx(1.0)


def test_a_limit_is_kept_by_the_rounded_amount(tmp_path: Path) -> None:
    found = chosen(tmp_path, AMOUNT + LIMIT, None)
    assert found.chosen is not None
    assert found.optimum is not None
    assert found.optimum.binding == ("gain",)
    row = found.rows[found.chosen]
    assert row.limits["gain"].mean <= 0.8
    assert row.amounts["a"] < found.optimum.amounts[0]
    assert row.extrapolated == ("a",)  # nothing was seen
    worse = [r for r in found.rows if r.amounts["a"] > found.optimum.amounts[0]]
    assert {r.why_not for r in worse} == {"gain"}


def test_no_design_qualifies_is_an_answer(tmp_path: Path) -> None:
    found = chosen(tmp_path, AMOUNT + NEVER, None)
    assert found.chosen is None
    said = dose_document(found)
    assert said["chosen"] is None
    assert said["sentence"].startswith("No design qualifies: gain is at least 0.1")


def test_layouts_levels_and_caps(tmp_path: Path) -> None:
    """b in two parts at half the amount; nobody gets more of a than 20."""
    found = chosen(tmp_path, LEVELS, None)
    assert found.optimum is None
    frame = dose_frame(found)
    assert len(frame) == 4 * 3
    assert list(frame.layout.unique()) == [
        "b at 0, odd 0",
        "b at 0, odd 1",
        "b at 0 + 1, odd 0",
        "b at 0 + 1, odd 1",
    ]
    gain = frame[frame.layout == "b at 0, odd 0"].gain.to_numpy()
    np.testing.assert_allclose(gain / gain[0], [1.0, 4.0, 10.0])
    # b is not chosen in amount: each time gets the cohort's own 3.0
    harm = frame.groupby("layout", sort=False).harm.first().to_numpy()
    assert harm[2] == pytest.approx(harm[0] * (1 + np.exp(-1.0)), rel=1e-3)
    assert harm[1] == pytest.approx(harm[0])


def test_courses_under_three_doses(tmp_path: Path) -> None:
    """Least, chosen and largest amount: quantiles of the very patients on paper.

    gain = a s stays; kept = 3 exp(-t) is that of everybody, to the 1e-3 that a step of
    a cohort may err by.
    """
    show = "[decision.show]\ngain = 4.0\nkept = 2.0\n"
    found = chosen(tmp_path, AMOUNT + show, None)
    assert found.courses is not None
    assert found.chosen is not None
    best = found.rows[found.chosen].amounts["a"]
    np.testing.assert_allclose(found.courses.amounts[:, 0], [1.0, best, 100.0])
    _, some = toy(tmp_path, CHOICE + AMOUNT)
    s, _ = responses(some[:1])
    time = found.courses.time["kept"]
    assert (time[0], time[-1]) == (0.0, 2.0)
    for amount, each in zip(
        found.courses.amounts[:, 0], found.courses.found, strict=True
    ):
        of_patients = amount * np.quantile(s[0], [0.05, 0.5, 0.95], axis=-1)
        expected = np.median(of_patients, axis=-1)
        np.testing.assert_allclose(each["gain"].patients[-1], expected, rtol=1e-9)
        median = np.quantile(of_patients[1], [0.05, 0.95])
        np.testing.assert_allclose(each["gain"].median[7], median, rtol=1e-9)
        kept = np.repeat(3.0 * np.exp(-time)[:, None], 3, axis=1)
        np.testing.assert_allclose(each["kept"].patients, kept, rtol=1e-3)
    rows = dose_document(found)["courses"]
    assert [(row["output"], row["unit"]) for row in rows[:2]] == [
        ("gain", ""),
        ("kept", "mg"),
    ]
    assert len(rows) == 6


def test_other_weights_choose_otherwise(tmp_path: Path) -> None:
    """gain twice: the best is twice as far; half the square: the same."""
    found = chosen(tmp_path, AMOUNT, None)
    assert found.chosen is not None
    ours = found.rows[found.chosen].amounts["a"]
    by_change = {each.change: each for each in found.utilities}
    twice = by_change["+ gain times 2"]
    assert twice.best is not None
    assert found.rows[twice.best].amounts["a"] > ours
    assert twice.loss > 0
    assert by_change["- 0.01 * a times 0.5"].loss == pytest.approx(0.0, abs=0.02)
    assert {each.change.split(" to ")[0] for each in found.priors} == {
        "prior of s",
        "prior of r",
    }
    # r has no part in this utility
    assert all(
        each.best == found.chosen for each in found.priors if "of r" in each.change
    )


def test_the_shown_amounts_are_even_in_logarithm(tmp_path: Path) -> None:
    block = toy_spec(tmp_path, CHOICE + AMOUNT).decision
    assert block is not None
    np.testing.assert_allclose(
        shown_amounts(block)[:, 0], [1, 10**0.5, 10, 10**1.5, 100]
    )
    assert len(list(layouts(block))) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[decision.amount]\nc = { levels = [1.0] }", "the cohort has no dose 'c'"),
        ("[decision.group]\nod = [1.0]", "no group 'od' (did you mean 'odd'?)"),
        ("[decision.times]\na = { options = [[9.0]] }", "got a dose at 9"),
        (
            AMOUNT + "[decision.limit]\ngian = { at_most = 1.0 }",
            "(did you mean 'gain'?)",
        ),
        (AMOUNT + "[decision.limit]\ngone = { at_most = 1.0 }", "later_than = ..."),
        (
            AMOUNT + "[decision.limit]\ngain = { at_most = 1.0, later_than = 1.0 }",
            "'gain' is no crossing",
        ),
        (AMOUNT + "[decision.show]\ngian = 1.0", "no output 'gian' (did you mean"),
        (AMOUNT + "[decision.show]\nkept = 9.0", "the cohort is followed to 8"),
    ],
)
def test_what_does_not_agree_is_one_sentence(
    tmp_path: Path, text: str, said: str
) -> None:
    spec = toy_spec(tmp_path, CHOICE + text)
    with pytest.raises(FitError, match=r"toy\.toml:") as caught:
        read_model(spec)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("utility", "said"),
    [("gian + a", "(did you mean 'gain'?)"), ("gain - gone", "'gone' is a crossing")],
)
def test_a_utility_of_what_there_is_not(
    tmp_path: Path, utility: str, said: str
) -> None:
    text = CHOICE.replace("gain - 0.25*gain**2 - 0.01*a", utility) + AMOUNT
    with pytest.raises(FitError) as caught:
        read_model(toy_spec(tmp_path, text))
    assert said in str(caught.value)
