"""Who leave a trial and who die in it, and when: two times per patient.

Both are exponential, but for a death that is a crossing. They count from the first dose
of the arm. Patients who left and die later are those who left.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from imak_pkpd.choice import DeathBlock, DropoutBlock
from imak_pkpd.estimand import Outcome

Times = Float[np.ndarray, " patient"]
Shares = Float[np.ndarray, " patient"]


class Gone(NamedTuple):
    """When patients leave and when they die; infinite: never."""

    left: Times
    died: Times

    @property
    def time(self) -> Times:
        return np.minimum(self.left, self.died)

    @property
    def by_death(self) -> Bool[np.ndarray, " patient"]:
        return self.died <= self.left


class Mortality(NamedTuple):
    """A constant hazard per time, and a time at which who is left dies."""

    rate: Times
    at: Times

    def alive(self, time: Times) -> Shares:
        """P(alive at a time)."""
        return np.where(self.at >= time, np.exp(-self.rate * time), 0.0)

    def restricted(self, time: Times, start: float) -> Times:
        """E[the time alive between `start` and `start + time`].

        The integral of `alive`: exp(-rate start) (1 - exp(-rate m))/rate, m up to `at`.
        """
        m = np.clip(np.minimum(time, self.at - start), 0.0, None)
        small = self.rate < 1e-12
        rate = np.where(small, 1.0, self.rate)
        living = np.where(small, m, -np.expm1(-rate * m) / rate)
        return np.exp(-self.rate * start) * living


def hazard(share: Shares | float, by: float) -> Times:
    """The constant hazard at which this share is gone by a time."""
    certain = np.minimum(share, 1.0 - 1e-15)
    return -np.log1p(-np.asarray(certain)) / by


def mortality(
    death: DeathBlock | None, values: Mapping[str, np.ndarray], start: float, many: int
) -> Mortality:
    """Of every patient; `start` is when the estimand of the death begins to count."""
    rate, never = np.zeros(many), np.full(many, np.inf)
    if death is None:
        return Mortality(rate, never)
    if death.share is not None:
        assert death.by is not None
        return Mortality(rate + hazard(death.share, death.by), never)
    assert death.of is not None
    own = values[death.of]
    if death.by is not None:
        return Mortality(hazard(own, death.by), never)
    crossed = values[f"{death.of}_outcome"] == Outcome.crossed
    return Mortality(rate, np.where(crossed, start + own, np.inf))


def losses(
    dropout: DropoutBlock | None, deaths: Mortality, rng: np.random.Generator
) -> Gone:
    """Drawn; as many random numbers as ever, whoever can be lost."""
    wait = rng.standard_exponential((2, len(deaths.rate)))
    rate = 0.0 if dropout is None else float(hazard(dropout.share, dropout.by))
    with np.errstate(divide="ignore"):  # a hazard of zero: never
        left = wait[0] / np.float64(rate)
        died = np.minimum(wait[1] / deaths.rate, deaths.at)
    return Gone(left, died)
