"""The [output.NAME] block: what it refuses, in one sentence that says what to do."""

import pytest
from pydantic import ValidationError

from imak_pkpd.observe import OutputBlock

HALF_NORMAL = {"dist": "HalfNormal", "scale": 1.0}
KEYS = {
    "additive": ("sigma",),
    "proportional": ("sigma",),
    "combined1": ("additive", "proportional"),
    "combined2": ("additive", "proportional"),
    "lognormal": ("sigma",),
    "student_t": ("sigma", "df"),
}


@pytest.mark.parametrize("error", KEYS)
def test_each_error_has_its_keys(error: str) -> None:
    block = OutputBlock(
        unit="mg/L", error=error, **dict.fromkeys(KEYS[error], HALF_NORMAL)
    )
    assert block.error_model.keys == KEYS[error]
    assert set(block.sigmas) == set(KEYS[error])
    assert (block.censoring, block.dvid, block.lloq) == ("M3", None, None)
    assert hash(block) == hash(block.model_copy())


def test_what_a_count_is_out_of() -> None:
    block = OutputBlock(**COUNT)
    assert block.error_model.keys == ("false_positive", "trials")
    assert (block.sigmas["trials"].column, block.discrete) == ("N", True)
    fixed = OutputBlock(**{**COUNT, "trials": 500})
    assert fixed.sigmas["trials"].fixed == 500.0
    again = OutputBlock(**fixed.model_dump(exclude_none=True, exclude_defaults=True))
    assert again == fixed  # as a fit file prints it


def test_the_outputs_behind_a_grade() -> None:
    grades = ["grade_1", "grade_2"]
    block = OutputBlock(unit="", error="ordinal", at_least=grades)
    assert block.reads("toxicity") == ("grade_1", "grade_2")
    assert OutputBlock(**GOOD).reads("level") == ("level",)


GOOD = {"unit": "mg/L", "error": "additive", "sigma": HALF_NORMAL}
COUNT = {
    "unit": "",
    "error": "binomial",
    "trials": "N",
    "false_positive": {"dist": "Beta", "concentration1": 2.0, "concentration0": 900.0},
}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"unit": None}, "valid string"),
        ({"sigma": None}, "got no SD: it needs sigma"),
        ({"error": "combined1"}, "got sigma: it needs additive and proportional"),
        ({"additive": HALF_NORMAL}, "got sigma and additive: it needs sigma"),
        ({"error": "student_t"}, "it needs sigma and df"),
        ({"error": "gamma"}, "'additive', 'proportional'"),
        ({"censoring": "M2"}, "'M3' or 'M4'"),
        ({"sigma": {"fixed": 0.0}}, "positive"),
        ({"sigma": {"dist": "Normal", "loc": 0.0, "scale": 1.0}}, "positive"),
        ({"lloq": 2.0, "uloq": 1.0}, "lloq must be the smaller"),
        ({"lloq": -1.0, "error": "lognormal"}, "lloq = -1.0"),
        ({"lloq": 0.0, "censoring": "M4"}, "lloq = 0.0"),
        ({"lloq": float("inf")}, "finite"),
        ({"limits": 0.1}, "Extra inputs"),
        ({"limit": 0.1}, "got 0.1: write { fixed }"),
        ({"limit": HALF_NORMAL, "lloq": 0.1}, "got lloq and limit"),
        ({"limit": {"fixed": 1.0, "of": "variance"}}, "limit got of = 'variance'"),
        ({"at_least": ["a", "b"]}, r"'additive' got at_least = \['a', 'b'\]"),
        (
            {
                "error": "student_t",
                "df": {"fixed": 4.0, "of": "variance"},
            },
            "remove `of`",
        ),
    ],
)
def test_a_wrong_block_is_refused(change: dict, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        OutputBlock(**{**GOOD, **change})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"false_positive": None}, "got trials: it needs false_positive and trials"),
        ({"trials": None}, "got false_positive: it needs false_positive and trials"),
        ({"sigma": HALF_NORMAL}, "no other of sigma"),
        ({"trials": 0}, "got 0: write a number above 0"),
        ({"trials": 12.5}, "got 12.5: write how many were scored"),
        ({"trials": HALF_NORMAL}, "write a number, or the name of a column"),
        ({"trials": True}, "got True"),
        ({"false_positive": {"fixed": 1.0}}, "write a fraction from 0 to 1"),
        (
            {"false_positive": {"dist": "Normal", "loc": 0.0, "scale": 1.0}},
            "a probability needs a prior",
        ),
        ({"lloq": 2.0}, "CENS = 1 and the largest count that is called negative"),
        ({"limit": HALF_NORMAL}, "CENS = 1 and the largest count"),
        ({"censoring": "M4"}, "a count is never negative"),
        ({"error": "ordinal", "trials": None, "false_positive": None}, "no at_least"),
        ({"error": "poisson"}, "it needs exposure"),
        ({"error": "bernoulli"}, "it needs none"),
        (
            {
                "error": "ordinal",
                "trials": None,
                "false_positive": None,
                "at_least": ["a", "a"],
            },
            "name each output once",
        ),
    ],
)
def test_a_wrong_count_is_refused(change: dict, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        OutputBlock(**{**COUNT, **change})
