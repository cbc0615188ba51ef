"""Numbers as a reader meets them: significant digits, no false precision."""

import math

import numpy as np

ABSENT = "–"
"""Printed where there is no number."""

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: object, digits: int = 3) -> str:
    """The value with `digits` significant digits; "–" where it is missing.

    Outside 0.001 to 99,999 powers of ten are written out: 1.23 × 10⁹.
    """
    match value:
        case bool() | str():
            return str(value)
        case int() | np.integer():
            return f"{int(value):,}"
    try:
        real = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ABSENT
    if math.isnan(real):
        return ABSENT
    if math.isinf(real):
        return "∞" if real > 0 else "−∞"
    return _plain(real, digits).replace("-", "−")


def _plain(real: float, digits: int) -> str:
    if real == 0:
        return "0"
    mantissa, power = f"{real:.{digits - 1}e}".split("e")
    exponent = int(power)
    if -4 < exponent < 5:
        return f"{float(f'{mantissa}e{power}'):.{max(digits - 1 - exponent, 0)}f}"
    return f"{mantissa} × 10{str(exponent).translate(SUPERSCRIPT)}"


def percent(share: float) -> str:
    """A share as a percentage with one decimal."""
    return ABSENT if math.isnan(share) else f"{100 * share:.1f} %"


def with_unit(name: str, unit: str) -> str:
    """An axis label or heading: "time (h)"."""
    return f"{name} ({unit})" if unit else name
