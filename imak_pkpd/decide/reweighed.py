"""A stored decision under other weights of the utility's summands, without a solve.

A utility is a sum, and so is its expectation: weights are multiplied into the stored
means of the summands. Limits do not depend on them. P(best), expected loss and Monte
Carlo errors do, and they are not stored draw by draw: they need `imak dose` again.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from imak_pkpd.decide.document import term_key


class Reweighed(NamedTuple):
    """Expected utility of every design; `best` is None where none is admissible."""

    utility: Float[np.ndarray, " design"]
    best: int | None

    def behind(self, place: int) -> float:
        """How much less a design is worth than the best; NaN where there is none."""
        return np.nan if self.best is None else self.utility[self.best] - self.at(place)

    def at(self, place: int) -> float:
        return float(self.utility[place])


def reweighed(document: Mapping[str, Any], weights: Sequence[float]) -> Reweighed:
    """The designs of `dose.json`, with each summand times its weight.

    Raises a `ValueError` for a decision that was stored without its summands.
    """
    names = [term_key(number) for number in range(len(weights))]
    rows = document["table"]
    if len(document.get("utility_terms", ())) != len(weights):
        raise ValueError(
            "this decision was stored without the summands of its utility: run "
            "`imak dose` again to weigh them otherwise"
        )
    terms = np.array([[row[name] for name in names] for row in rows], float)
    utility = terms @ np.asarray(weights, float)
    admissible = np.array([row["admissible"] for row in rows], bool)
    among = np.where(admissible & np.isfinite(utility), utility, -np.inf)
    return Reweighed(
        utility, int(np.argmax(among)) if np.isfinite(among).any() else None
    )
