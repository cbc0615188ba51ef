"""One cell as a number, or what is wrong with it.

Python's own `float` is too kind: it takes '1_0', 'inf', 'nan' and digits of other
scripts, and turns 1e999 into infinity without a word.
"""

import math
import re
import sys
from typing import Literal, NamedTuple

Fault = Literal["missing", "text", "comma", "nan", "inf", "range", "clock"]
"""Why a cell has no number."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?", re.ASCII)
NAN = re.compile(r"[+-]?nan", re.IGNORECASE)
INF = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
MISSING_TEXTS = ("", ".", "NA")


class Missing(NamedTuple):
    """The codes of a missing value: texts, and numbers in any spelling."""

    texts: frozenset[str]
    numbers: frozenset[float]


def missing_codes(declared: tuple[str | float, ...] = ()) -> Missing:
    """The three usual codes and the declared ones."""
    texts = frozenset(str(code) for code in declared) | frozenset(MISSING_TEXTS)
    parsed = (
        read_number(str(code), Missing(frozenset(), frozenset())) for code in declared
    )
    return Missing(texts, frozenset(value for value, fault in parsed if fault is None))


def read_number(text: str, missing: Missing) -> tuple[float, Fault | None]:
    """The number in a cell, or NaN and the reason."""
    if text in missing.texts:
        return math.nan, "missing"
    if not NUMBER.fullmatch(text):
        return math.nan, _fault(text)
    value = float(text)
    if value in missing.numbers:
        return math.nan, "missing"
    if math.isinf(value) or _underflows(value, text):
        return math.nan, "range"
    return value, None


def _fault(text: str) -> Fault:
    if COMMA.fullmatch(text):
        return "comma"
    if NAN.fullmatch(text):
        return "nan"
    return "inf" if INF.fullmatch(text) else "text"


def _underflows(value: float, text: str) -> bool:
    """Whether a number that is not zero was rounded to (nearly) zero."""
    if abs(value) >= sys.float_info.min:
        return False
    mantissa = re.split("[eE]", text)[0]
    return any(digit in mantissa for digit in "123456789")
