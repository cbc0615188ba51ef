"""Refusals of a block of the fit file, in one sentence each.

The reader of fit files puts the file, the line and the path of the key before them.
"""

import difflib
from collections.abc import Iterable

from pydantic_core import PydanticCustomError


def hint(got: str, known: Iterable[str]) -> str:
    """' (did you mean ...?)' with the nearest known word, or nothing."""
    near = difflib.get_close_matches(got, list(known), n=1, cutoff=0.5)
    return f" (did you mean '{near[0]}'?)" if near else ""


def unknown_key(key: str, known: Iterable[str], owner: str) -> PydanticCustomError:
    """The refusal of a key, with the nearest known one."""
    return PydanticCustomError(
        "unknown_key",
        "unknown {owner} '{key}'{hint}",
        {"key": key, "owner": owner, "hint": hint(key, known)},
    )


def refusal(sentence: str) -> PydanticCustomError:
    """One sentence that the reader of fit files prefixes with file and line."""
    return PydanticCustomError("refused", "{sentence}", {"sentence": sentence})
