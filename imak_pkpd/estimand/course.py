"""[estimand] kinds that describe an output over time.

t_rej  = { kind = "crossing", output = "chimerism", below = 0.005 }
window = { kind = "time_above", output = "donor", above = 1.0 }
auc    = { kind = "area", output = "donor", horizon = 90.0 }
top    = { kind = "peak", output = "donor" }
mixed  = { kind = "value", output = "chimerism", at = 6.0 }    # without at: the end
gvhd   = { kind = "value", output = "gvhd", chance = true }    # it is a probability

Without a `horizon` they end at the last record. Beyond it, curves go on under the last
known covariates and without further doses: what is said there is said by the model.
"""

from collections.abc import Mapping
from typing import Literal

import jax.numpy as jnp

from imak_pkpd.estimand.block import (
    AbstractEstimand,
    Estimates,
    Level,
    Positive,
    Reading,
    level_read,
    level_words,
)
from imak_pkpd.estimand.crossing import last_down_crossing
from imak_pkpd.estimand.exposure import area, peak, time_above
from imak_pkpd.solve.curve import Curve, positive_value_at


class AbstractCourse(AbstractEstimand):
    """Of one `output`."""

    output: str

    @property
    def outputs_read(self) -> Mapping[str, str]:
        return {"output": self.output}

    def curve(self, reading: Reading) -> Curve:
        return reading.outputs[self.output]


class AbstractWindow(AbstractCourse):
    """From the start to `horizon` (time after it), or to the last record."""

    horizon: Positive | None = None

    @property
    def reach(self) -> float | None:
        return self.horizon

    @property
    def window(self) -> float | None:
        return self.horizon

    def to_the_end(self, units: Mapping[str, str]) -> str:
        """Up to when, in words."""
        if self.horizon is None:
            return "up to the last record"
        return f"up to {units.get('time', 'time')} {self.horizon:g} after {self.since}"


class CrossingEstimand(AbstractWindow):
    """When the output falls below a level for good: `value` and `outcome`."""

    kind: Literal["crossing"]
    below: Level

    @property
    def outputs_read(self) -> Mapping[str, str]:
        return {"output": self.output, **level_read("below", self.below)}

    def estimate(self, reading: Reading) -> Estimates:
        level = reading.level(self.below)
        found = last_down_crossing(self.curve(reading), level, reading.start)
        return {"value": found.time, "outcome": found.outcome}

    def definition(self, units: Mapping[str, str]) -> str:
        level = level_words(self.below, units.get(self.output, ""))
        return (
            f"time ({units.get('time', '')}) from {self.since} to the last fall of "
            f"{self.output} below {level}, {self.to_the_end(units)}"
        )


class TimeAboveEstimand(AbstractWindow):
    """How long the output is at or above a level."""

    kind: Literal["time_above"]
    above: Level

    @property
    def outputs_read(self) -> Mapping[str, str]:
        return {"output": self.output, **level_read("above", self.above)}

    def estimate(self, reading: Reading) -> Estimates:
        level = reading.level(self.above)
        return {"value": time_above(self.curve(reading), level, reading.start)}

    def definition(self, units: Mapping[str, str]) -> str:
        level = level_words(self.above, units.get(self.output, ""))
        return (
            f"time ({units.get('time', '')}) after {self.since} with {self.output} at "
            f"or above {level}, {self.to_the_end(units)}"
        )


class AreaEstimand(AbstractWindow):
    """The area under the output."""

    kind: Literal["area"]

    def estimate(self, reading: Reading) -> Estimates:
        return {"value": area(self.curve(reading), reading.start)}

    def definition(self, units: Mapping[str, str]) -> str:
        unit = f"{units.get(self.output) or '1'} x {units.get('time', '')}"
        return (
            f"area under {self.output} ({unit}) after {self.since}, "
            f"{self.to_the_end(units)}"
        )


class PeakEstimand(AbstractWindow):
    """The largest value of the output."""

    kind: Literal["peak"]

    def estimate(self, reading: Reading) -> Estimates:
        return {"value": peak(self.curve(reading), reading.start).value}

    def definition(self, units: Mapping[str, str]) -> str:
        unit = units.get(self.output) or "1"
        return (
            f"largest {self.output} ({unit}) after {self.since}, "
            f"{self.to_the_end(units)}"
        )


class ValueEstimand(AbstractCourse):
    """The output at a time after the start, or at the last record.

    `chance` says that the output is the probability of an outcome.
    """

    kind: Literal["value"]
    at: float | None = None
    chance: bool = False

    @property
    def is_chance(self) -> bool:
        return self.chance

    @property
    def reach(self) -> float | None:
        return self.at

    def estimate(self, reading: Reading) -> Estimates:
        curve = self.curve(reading)
        if self.at is None:
            return {"value": curve.after[-1]}
        return {"value": positive_value_at(curve, reading.start + jnp.asarray(self.at))}

    def definition(self, units: Mapping[str, str]) -> str:
        unit = units.get(self.output) or "1"
        if self.at is None:
            return f"{self.output} ({unit}) at the last record"
        return (
            f"{self.output} ({unit}) {self.at:g} {units.get('time', '')} after "
            f"{self.since}"
        )
