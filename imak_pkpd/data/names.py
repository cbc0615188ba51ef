"""The standard columns, and which column of a file is which.

NONMEM's names and AVALU (ADPPK: the unit of DV), the aliases of CDISC ADPPK, and the
`columns` a fit file declares.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

StandardName = Literal[
    "ID", "TIME", "EVID", "AMT", "RATE", "DUR", "ADDL", "II", "SS", "CMT",
    "DV", "MDV", "DVID", "CENS", "LIMIT", "LLOQ", "BLQ", "AVALU",
]  # fmt: skip
STANDARD: tuple[StandardName, ...] = get_args(StandardName)

# CDISC ADaM population PK (ADPPK) implementation guide; actual before planned
ALIASES: Mapping[str, tuple[str, ...]] = {
    "ID": ("USUBJID",),
    "TIME": ("AFRLT", "NFRLT"),
    "AMT": ("DOSEA", "DOSEP"),
    "DV": ("AVAL",),
    "DVID": ("PARAMCD",),
    "LLOQ": ("ALLOQ",),
    "BLQ": ("BLQFL",),
}
DOSE_ALIASES = ALIASES["AMT"]
"""ADPPK carries these on observation rows too: there they are no dose."""

DESCRIPTIVE = (
    "APRLT",
    "NPRLT",
    *(a for names in ALIASES.values() for a in names),
)
"""ADPPK columns that may be there without use: nobody is warned of them."""

RATE_LIKE = (
    "RATE", "INFRATE", "INF_RATE", "INFUSION_RATE", "RATE_INF",
    "DUR", "DURATION", "TINF", "INFDUR", "INF_DUR", "INFUSION_DURATION",
)  # fmt: skip
"""Names, in any case, of columns that look like an infusion."""


def standard_columns(
    header: Sequence[str],
    declared: Mapping[StandardName, str],
    dropped: Sequence[str] = (),
) -> dict[str, str]:
    """The file's column for each standard name it has.

    The declared mapping wins, then the standard name itself, then the first alias.
    """
    there = set(header) - set(dropped)
    found: dict[str, str] = {}
    for name in STANDARD:
        choices = (name, *ALIASES.get(name, ()))
        choices = (declared[name],) if name in declared else choices
        match = next((choice for choice in choices if choice in there), None)
        if match is not None:
            found[name] = match
    return found
