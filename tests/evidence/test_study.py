"""Who would count twice: in two facts, or in a fact and a prior."""

import pytest

from imak_pkpd.evidence import BinomialFact, StudyBlock, double_use

RAW = {"kind": "binomial", "k": 2, "n": 40, "of": "cr", "cohort": "trial"}


def fact(study: str | None, use: bool = True) -> BinomialFact:
    return BinomialFact.model_validate({**RAW, "study": study, "use": use})


def studies(**said: dict) -> dict[str, StudyBlock]:
    return {name: StudyBlock.model_validate(raw) for name, raw in said.items()}


@pytest.mark.parametrize("names_it", ["early", "late"])
def test_patients_of_two_facts(names_it: str) -> None:
    """One of the two studies names the other, whichever it is."""
    other = {"early": "late", "late": "early"}[names_it]
    known = studies(**{"early": {}, "late": {}, names_it: {"overlaps": [other]}})
    (words,) = double_use({"a": fact("early"), "b": fact("late")}, known)
    assert words.startswith("early and late may have patients in common, who count")
    assert "a and b are used as if independent; set use = false" in words


def test_a_fact_that_is_kept_out_is_named() -> None:
    known = studies(early={"overlaps": ["late"]}, late={})
    (words,) = double_use({"a": fact("early", use=False), "b": fact("late")}, known)
    assert words.endswith(
        "would count twice if facts of both were used: a is kept out."
    )


@pytest.mark.parametrize(
    "facts",
    [
        {"a": fact("late"), "b": fact("late")},  # other outcomes of the same patients
        {"a": fact("early")},
        {"a": fact("apart"), "b": fact("late")},
    ],
)
def test_nobody_counts_twice(facts: dict[str, BinomialFact]) -> None:
    known = studies(early={"overlaps": ["late"]}, late={}, apart={})
    assert double_use(facts, known) == ()


@pytest.mark.parametrize("use", [True, False])
def test_priors_that_saw_the_outcome(use: bool) -> None:
    """Agreement proves nothing, used or only compared; many priors are counted."""
    known = studies(seen={"informed": ["k", "l"]}, other={"informed": ["m"]})
    (words,) = double_use({"a": fact("seen", use)}, known)
    assert words.startswith(
        "Priors of k and l were set while looking at seen: that the"
    )
    assert "agrees with a is not evidence" in words
    many = studies(seen={"informed": list("klmnop")})
    (words,) = double_use({"a": fact("seen", use)}, many)
    assert words.startswith("Priors of k, l, m, n and 2 more were set")
    five = studies(seen={"informed": list("klmno")})
    (words,) = double_use({"a": fact("seen", use)}, five)
    assert words.startswith("Priors of k, l, m, n and o were set")


def test_a_used_fact_without_a_study_is_not_trusted() -> None:
    (words,) = double_use({"a": fact(None), "b": fact(None, use=False)}, {})
    assert words.startswith("Whether priors were set while looking at a is not said")
