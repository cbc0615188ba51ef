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


GOOD = {"unit": "mg/L", "error": "additive", "sigma": HALF_NORMAL}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"unit": None}, "valid string"),
        ({"sigma": None}, "got no SD: it needs sigma"),
        ({"error": "combined1"}, "got sigma: it needs additive and proportional"),
        ({"additive": HALF_NORMAL}, "got sigma and additive: it needs sigma"),
        ({"error": "student_t"}, "it needs sigma and df"),
        ({"error": "poisson"}, "'additive', 'proportional'"),
        ({"censoring": "M2"}, "'M3' or 'M4'"),
        ({"sigma": {"fixed": 0.0}}, "positive"),
        ({"sigma": {"dist": "Normal", "loc": 0.0, "scale": 1.0}}, "positive"),
        ({"lloq": 2.0, "uloq": 1.0}, "lloq must be the smaller"),
        ({"lloq": -1.0, "error": "lognormal"}, "lloq = -1.0"),
        ({"lloq": 0.0, "censoring": "M4"}, "lloq = 0.0"),
        ({"lloq": float("inf")}, "finite"),
        ({"limit": 0.1}, "Extra inputs"),
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
