"""What a wrong model file says: one sentence with the file."""

import hashlib
import re
from pathlib import Path

import pytest

from imak_pkpd.model import (
    AbstractLinear,
    covariates_read,
    infusions_read,
    load_model,
    model_source,
    parameters,
)

GOOD = '''"""One compartment."""

from typing import NamedTuple

from imak_pkpd.model import AbstractLinear, Scalar, parameter


class Amounts(NamedTuple):
    central: Scalar


class Good(AbstractLinear):
    time = "h"
    doses = {"central": "mg"}
    outputs = {"concentration": "mg/L"}

    k: Scalar = parameter("1/h", "rate of elimination")
    V: Scalar = parameter("L", "volume")

    def initial(self, inputs):
        return Amounts(0.0)

    def dose(self, state, name, amount):
        return Amounts(state.central + amount)

    def rates(self, t, state, inputs):
        return Amounts(inputs.infusion["central"] - self.k * state.central)

    def observe(self, t, state, inputs):
        return {"concentration": state.central / self.V * inputs.covariate["WT"]}
'''


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.py"
    path.write_text(text)
    return path


def test_the_class_and_what_it_reads(tmp_path: Path) -> None:
    model = load_model(written(tmp_path, GOOD))
    assert issubclass(model, AbstractLinear)
    assert list(parameters(model)) == ["k", "V"]
    assert covariates_read(model) == {"WT"}
    assert infusions_read(model) == {"central"}


def test_same_text_same_class(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    first = load_model(path)
    assert load_model(path) is first
    path.write_text(GOOD + "\n# changed\n")
    assert load_model(path) is not first


def test_source_and_its_hash(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    source = model_source(path)
    assert source.text == GOOD
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


CLASS = GOOD[GOOD.index("class Good") :]
WRONG: dict[str, tuple[str, str, str]] = {
    "no model": (CLASS, "", "no model is defined"),
    "two models": (
        CLASS,
        CLASS + CLASS.replace("Good", "Best"),
        "2 models are defined (Good, Best)",
    ),
    "abstract": ("def observe", "def look", "Good is not complete; write its observe"),
    "syntax": ("def initial(self", "def initial(self(", "mine.py:20:"),
    "stops": ('time = "h"', "time = 1 / 0", "mine.py:13: the model file stopped with"),
    "field": (
        'V: Scalar = parameter("L", "volume")',
        "V: Scalar = 3.0",
        "Good.V is not a parameter",
    ),
    "scale": (
        '"L", "volume"',
        '"L", "volume", scale="ln"',
        "mine.py:18: the model file stopped with",
    ),
    "no time": ('    time = "h"\n', "", "Good does not declare `time`"),
    "no doses": ('    doses = {"central": "mg"}\n', "", "not declare `doses`"),
    "no outputs": ('    outputs = {"concentration": "mg/L"}\n', "", "`outputs`"),
    "unit": ('{"central": "mg"}', '{"central": 1}', "Good.doses is {'central': 1}"),
    "time": ('time = "h"', "time = 1", "Good.time is 1"),
    "nothing seen": ('{"concentration": "mg/L"}', "{}", "Good.outputs is empty"),
    "outputs": (
        '{"concentration": "mg/L"}',
        '{"cp": "mg/L"}',
        "Good.observe returns concentration; `outputs` declares cp",
    ),
    "state": ("return Amounts(0.0)", "return 0.0", "Good.initial returns ShapeDtype"),
    "rates": (
        'return Amounts(inputs.infusion["central"] - self.k * state.central)',
        "return (state.central,)",
        "Good.rates returns tuple",
    ),
    "lost dose": (
        "return Amounts(state.central + amount)",
        "return state",
        "Good.dose ignores the amount of 'central'",
    ),
    "no dose": (
        "return Amounts(state.central + amount)",
        "pass",
        "Good.dose('central') returns NoneType",
    ),
    "infusion": (
        'inputs.infusion["central"]',
        'inputs.infusion["vein"]',
        "Good.rates reads the infusion 'vein'",
    ),
    "name": ("self.k * ", "self.kel * ", "Good.rates stopped with AttributeError"),
    "not linear": (
        "self.k * state.central",
        "self.k * state.central / (1 + state.central)",
        "Good.rates are not linear in the state",
    ),
    "not constant": ("self.k * ", "self.k * t * ", "Good.rates depend on time"),
    "dosing": (
        "    def initial",
        "    def dosing(self, name):\n        return 1.0\n\n    def initial",
        "Good.dosing('central') returns",
    ),
    "shape": ("Amounts(0.0)", "Amounts([0.0])", "Good.initial: central has list"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_sentence(tmp_path: Path, case: str) -> None:
    old, new, says = WRONG[case]
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        load_model(path)
    assert str(caught.value).startswith(f"{path}:")
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        load_model(tmp_path / "absent.py")


def test_bytes_that_are_not_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="not UTF-8"):
        load_model(path)
