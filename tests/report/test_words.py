"""Numbers, labels, facts and dose groups as the reader meets them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from imak_pkpd.report.facts import prior, read_facts
from imak_pkpd.report.groups import dose_groups
from imak_pkpd.report.labels import Labels
from imak_pkpd.report.number import number
from imak_pkpd.report.run import read_run
from imak_pkpd.report.sections.parameters import prior_of


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (1.0, "1.00"),
        (0.99996, "1.00"),
        (12345.6, "12300"),
        (99999.0, "1.00 × 10⁵"),
        (0.000123, "1.23 × 10⁻⁴"),
        (0.00123, "0.00123"),
        (-2.5, "−2.50"),
        (1.5e9, "1.50 × 10⁹"),
        (float("nan"), "–"),
        (float("-inf"), "−∞"),
        (1234567, "1,234,567"),
        (np.int64(7), "7"),
        (np.float64(0.05), "0.0500"),
        (None, "–"),
        ("text", "text"),
    ],
)
def test_numbers_have_three_significant_digits(value: object, shown: str) -> None:
    assert number(value) == shown


@given(st.floats(1e-300, 1e300))
def test_what_is_shown_is_the_number_to_its_digits(value: float) -> None:
    shown = number(value)
    superscript = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    mantissa, _, power = shown.partition(" × 10")
    read = float(f"{mantissa}e{power.translate(superscript) or 0}")
    # half a unit of the third digit, of a mantissa of at least 1
    assert read == pytest.approx(value, rel=0.005 + 1e-9)


def test_labels_replace_words_and_not_parts_of_them() -> None:
    labels = Labels.numbered(["7", "A-1", "P01", "x"])
    assert labels.of("P01") == "P03"
    assert labels.of("stranger") == "unknown"
    assert labels.text("A-1 and A-12 and BA-1") == "P02 and A-12 and BA-1"
    assert (
        labels.text("subject 7: 7 mg at 7.5 h; P01")
        == "subject P01: 7 mg at 7.5 h; P03"
    )
    assert labels.text("max at x") == "max at x"
    assert Labels().text("subject 7") == "subject 7"


def test_facts_are_read_without_running_anything() -> None:
    model = '''"""What it is."""
raise SystemExit
class M(AbstractModel):
    doses = {"depot": "mg"}
    ka: Scalar = parameter("1/h", "absorption", scale="log")
    f: Scalar = parameter("", meaning="a share", source="a book", scale="logit")
    other: int = 3
'''
    fit = """problem = "P"
[theta]
ka = { median = 1, gsd = 2, source = "S" }
[output.c]
unit = "mg/L"
error = "additive"
"""
    facts = read_facts(fit, model)
    assert facts.description == "What it is."
    assert list(facts.parameters) == ["ka", "f"]
    assert facts.parameters["f"].scale == "logit"
    assert facts.parameters["f"].source == "a book"
    assert facts.parameters["ka"].prior == "log-normal, median 1, GSD 2"
    assert facts.parameters["ka"].prior_source == "S"
    assert facts.dose_unit == "mg"
    assert facts.unit_of("ka_pop") == "1/h"
    assert facts.unit_of("c_sigma") == "mg/L"
    assert facts.unit_of("omega_ka") == ""


def test_a_source_that_has_a_name_is_told_in_full() -> None:
    """A name of the file stands for its text; a text that looks like one is a text."""
    model = """
BOOK = "a book, 1999"
class M(AbstractModel):
    ka: Scalar = parameter("1/h", "BOOK", BOOK)
    V: Scalar = parameter("L", "volume", ELSEWHERE)
"""
    said = read_facts("", model).parameters
    assert (said["ka"].source, said["ka"].meaning) == ("a book, 1999", "BOOK")
    assert said["V"].source == "ELSEWHERE"


def test_no_shipped_model_shows_the_name_of_a_source(root: Path) -> None:
    for path in sorted((root / "models").glob("*.py")):
        for one in read_facts("", path.read_text()).parameters.values():
            assert not one.source.isupper() or " " in one.source, (path.name, one)


@pytest.mark.parametrize(
    ("value", "text"),
    [(3e11, "3e+11"), (0.35, "0.35"), (1, "1"), (0.123456789, "0.123456789")],
)
def test_a_number_of_a_prior_is_complete_and_short(value: float, text: str) -> None:
    assert prior({"fixed": value}) == f"fixed at {text}"


@pytest.mark.parametrize("text", ["", "not = = toml", "def broken(:", "\x00"])
def test_broken_files_say_nothing(text: str) -> None:
    facts = read_facts(text, text)
    assert facts.parameters == {}
    assert facts.problem == ""


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"fixed": 0.75}, "fixed at 0.75"),
        ({"column": "WT"}, "the data column WT"),
        ({"median": 0.5, "sd": 1}, "normal on its scale, median 0.5, SD 1"),
        ({"dist": "HalfNormal", "scale": 1.0}, "HalfNormal(scale = 1)"),
        (
            {"dist": "Normal", "loc": 0, "scale": 1, "of": "sd"},
            "Normal(loc = 0, scale = 1)",
        ),
        ({"parameters": ["V", "CL"], "lkj": 2.0}, "LKJ(2)"),
        (3, "–"),
    ],
)
def test_priors_in_words(entry: object, words: str) -> None:
    assert prior(entry) == words


def test_dose_groups_by_total_or_everyone() -> None:
    same = dose_groups(np.array([100.0] * 3 + [200.0] * 4), "mg")
    assert [group.name for group in same] == ["total dose 100 mg", "total dose 200 mg"]
    np.testing.assert_array_equal(same[1].subjects, [3, 4, 5, 6])
    assert len(dose_groups(np.array([1.0, 1.0, 1.0, 2.0]))) == 1  # one patient alone
    assert len(dose_groups(np.arange(30.0))) == 1  # individual doses
    assert len(dose_groups(np.full(9, 5.0))) == 1


def test_the_prior_of_every_kind_of_posterior_variable(
    run_folder: Callable[..., Path], record: dict
) -> None:
    more = """
[covariate.V]
WT = { form = "power", reference = 70.0, exponent = { dist = "Normal", loc = 0.75 } }
"""
    fit = record["fit"]["text"].replace(
        "[omega]", '[omega]\ncorrelation = { parameters = ["V", "CL"], lkj = 2.0 }'
    )
    record = {**record, "fit": {"text": fit + more}}
    run = read_run(run_folder(**record), anonymise=False)
    for name, words in {
        "V_pop": "log-normal, median 30, GSD 2",
        "theta_V": "log-normal, median 30, GSD 2",
        "omega_V": "HalfNormal(scale = 1)",
        "corr_V_CL": "LKJ(2)",
        "corr_ka_CL": "–",
        "beta_V_WT": "Normal(loc = 0.75)",
        "concentration_additive": "HalfNormal(scale = 1)",
        "something": "–",
    }.items():
        assert prior_of(run, name) == words
