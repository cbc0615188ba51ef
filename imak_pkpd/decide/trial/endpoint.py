"""An endpoint in one arm: what is seen of every patient, and what is expected of all.

What becomes of who is gone before it is seen:

| endpoint      | "failure", more is better | "failure", less is better | "left_out" |
|---------------|---------------------------|---------------------------|------------|
| yes or no     | no                        | yes                       | not counted|
| number        | refused                   | refused                   | not counted|
| time          | the event, there and then | no event to the end       | censored   |

(Who is gone before a time begins to count is not counted where he would be censored.)

Within a patient, outcomes and losses are drawn independently, given the solved course.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from imak_pkpd.choice import EndpointBlock
from imak_pkpd.decide.trial.losses import Gone, Mortality
from imak_pkpd.estimand import Outcome
from imak_pkpd.fit.arm import Kind

Patients = Float[np.ndarray, " patient"]
Flags = Bool[np.ndarray, " patient"]


class Seen(NamedTuple):
    """1 or 0, a number, or a time; NaN: not counted.

    `event` is false where a time is censored, `dropped` and `died` say who was gone.
    """

    value: Patients
    event: Flags
    dropped: Flags
    died: Flags


@dataclass(frozen=True)
class Endpoint:
    """One endpoint in one arm.

    It counts from `start`, that long after the arm's first dose, and is seen at `at`
    after that.
    """

    block: EndpointBlock
    kind: Kind
    start: float
    at: float

    @property
    def more(self) -> bool:
        return self.block.better == "more"

    def own(self, values: Mapping[str, np.ndarray]) -> Patients:
        """A patient's chance, number, or time (infinite: not crossed)."""
        own = values[self.block.of]
        if f"{self.block.of}_outcome" not in values:
            return own
        time = _crossing(own, values[f"{self.block.of}_outcome"])
        if self.kind is Kind.time:
            return time
        return np.where(np.isnan(time), np.nan, (time > self.at).astype(float))

    def seen(
        self, values: Mapping[str, np.ndarray], gone: Gone, uniform: Patients
    ) -> Seen:
        """What the trial has of every patient."""
        own, solved = self.own(values), ~values["failed"].astype(bool)
        known = np.minimum(own, self.at) if self.kind is Kind.time else self.at
        lost = gone.time < self.start + known
        failure = np.where(
            gone.by_death,
            self.block.death == "failure",
            self.block.dropout == "failure",
        )
        if self.kind is Kind.time:
            value, event = self._time(own, gone.time - self.start, lost, failure)
        else:
            drawn = (uniform < own).astype(float) if self.kind is Kind.yes_no else own
            gone_as = np.where(failure, float(not self.more), np.nan)
            value, event = np.where(lost, gone_as, drawn), np.ones_like(lost)
        return Seen(
            np.where(solved, value, np.nan),
            event & solved,
            lost & ~gone.by_death & solved,
            lost & gone.by_death & solved,
        )

    def _time(
        self, own: Patients, until: Patients, lost: Flags, failure: Flags
    ) -> tuple[Patients, Flags]:
        """A time and whether the event is seen then.

        Who is gone before the start was never watched: nobody to censor.
        """
        seen = np.minimum(own, self.at)
        worst = np.maximum(until, 0.0) if self.more else np.full_like(own, self.at)
        censored = np.where(until < 0.0, np.nan, until)
        value = np.where(lost, np.where(failure, worst, censored), seen)
        return value, np.where(lost, failure & self.more, own <= self.at)

    def expected(self, values: Mapping[str, np.ndarray], deaths: Mortality) -> float:
        """The mean of the arm where all can die and nobody leaves.

        Of a time: the mean up to `at`. Where deaths are left out: of those alive when
        it is seen; of a time: as if nobody died. NaN where nobody is solved.
        """
        solved = ~values["failed"].astype(bool)
        if not solved.any():
            return np.nan
        own = self.own(values)[solved]
        deaths = Mortality(*(each[solved] for each in deaths))
        if self.kind is Kind.time:
            return float(np.mean(self._expected_time(own, deaths)))
        alive = deaths.alive(np.asarray(self.start + self.at))
        if self.block.death == "failure" and self.kind is Kind.yes_no:
            return float(np.mean(own * alive + (1.0 - alive) * (not self.more)))
        return float(np.sum(own * alive) / np.sum(alive)) if alive.any() else np.nan

    def _expected_time(self, own: Patients, deaths: Mortality) -> Patients:
        seen = np.minimum(own, self.at)
        if self.block.death == "left_out":
            return seen
        if self.more:
            return deaths.restricted(seen, self.start)
        reached = np.where(own <= self.at, deaths.alive(self.start + seen), 0.0)
        return self.at - (self.at - seen) * reached


def _crossing(time: Patients, outcome: np.ndarray) -> Patients:
    """Zero who never was above, infinite who has not crossed, NaN who is not solved."""
    known = {Outcome.never_above: 0.0, Outcome.not_crossed: np.inf}
    for name, at in known.items():
        time = np.where(outcome == name, at, time)
    return time
