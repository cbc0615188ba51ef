"""Utilities against Python's own arithmetic; what is no utility is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from imak_pkpd.choice import DecisionBlock, parse_utility

VALUES = {"cr": 0.7, "cure": 0.4, "cells": 1e8}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cr", 0.7),
        ("cr + 2*cure - 0.5*cr**2", 0.7 + 0.8 - 0.5 * 0.49),
        ("-(cr - cure)/2", -0.15),
        ("log(cells/1e7) - minimum(cr, cure)", math.log(10) - 0.4),
        ("maximum(exp(cr), sqrt(cure))", math.exp(0.7)),
    ],
)
def test_the_value_is_that_of_arithmetic(text: str, expected: float) -> None:
    assert float(parse_utility(text).value(VALUES)) == pytest.approx(expected)


@given(st.lists(st.floats(-3, 3), min_size=5, max_size=5))
def test_weights_are_of_summands_with_their_signs(weights: list[float]) -> None:
    """However sums and differences are nested."""
    found = parse_utility("cr - (cure - (2*cr + cure**2)) - cells*1e-8")
    assert [(each.text, each.sign) for each in found.terms] == [
        ("cr", 1.0),
        ("cure", -1.0),
        ("2 * cr", 1.0),
        ("cure ** 2", 1.0),
        ("cells * 1e-08", -1.0),
    ]
    parts = np.array([0.7, -0.4, 1.4, 0.16, -1.0])
    value = float(found.weighed(VALUES, tuple(weights)))
    assert value == pytest.approx(parts @ weights, abs=1e-12)


def test_names_in_their_order_without_functions() -> None:
    assert parse_utility("log(b) + a*b").names == ("b", "a")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cr +", "no expression"),
        ("__import__('os').system('ls')", "got the function '__import__("),
        ("open", None),
        ("cr.real", "got 'cr.real'"),
        ("cr if cure else 0", "got 'cr if cure else 0'"),
        ("cr % 2", "write + - * / ** only"),
        ("[cr]", "got '[cr]'"),
        ("'cr'", "write numbers and names"),
        ("log(cr, 2)", "log takes 1 argument"),
        ("lambda: cr", "got 'lambda: cr'"),
        ("3.0", "names no estimand"),
    ],
)
def test_nothing_else_gets_through(text: str, said: str | None) -> None:
    if said is None:  # a name like any other: the fit file must have it
        assert parse_utility(text).names == (text,)
        return
    with pytest.raises(PydanticCustomError) as caught:
        parse_utility(text)
    assert said in str(caught.value)


CELLS = {"cells": {"low": 1e7, "high": 1e9}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"utility": "cr +"}, "no expression"),
        ({"amount": {}}, "nothing is to be chosen"),
        ({"amount": {"cells": {"low": 1e7}}}, "write low and high, or levels"),
        ({"amount": {"cells": {"low": 2.0, "high": 1.0}}}, "write amounts that rise"),
        ({"amount": {"cells": {"levels": [1.0], "low": 1.0}}}, "levels and bounds"),
    ],
)
def test_blocks_that_say_too_little_or_too_much(change: dict, said: str) -> None:
    raw = {"cohort": "trial", "utility": "cr", "amount": CELLS, **change}
    with pytest.raises(ValidationError) as caught:
        DecisionBlock.model_validate(raw)
    assert said in caught.value.errors()[0]["msg"]


@given(st.floats(1.0, 100.0), st.integers(1, 4))
def test_a_rounded_amount_is_near_and_short(amount: float, digits: int) -> None:
    raw = {"low": 1.0, "high": 100.0, "digits": digits}
    block = {"cohort": "t", "utility": "cr", "amount": {"cells": raw}}
    choice = DecisionBlock.model_validate(block).amount["cells"]
    found = choice.rounded(amount)
    assert abs(found - amount) <= 0.5 * 10.0 ** (1 - digits) * amount * (1 + 1e-9)
    assert float(f"{found:.{digits - 1}e}") == found
    assert 1.0 <= found <= 100.0
