"""[estimand] of a fit file: what is to be computed from every patient's curves.

    t_rej  = { kind = "crossing", output = "chimerism", below = 0.005 }
    window = { kind = "time_above", output = "donor", above = 1.0 }
    auc    = { kind = "area", output = "donor" }
    top    = { kind = "peak", output = "donor" }

All count from the patient's last dose (of `dose`, where the model has several), or from
the first record where there is none, to the patient's last record.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import jax.numpy as jnp
from jaxtyping import Array, Float
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from imak_pkpd.estimand.crossing import last_down_crossing
from imak_pkpd.estimand.exposure import area, peak, time_above
from imak_pkpd.solve.curve import Curve

Kind = Literal["crossing", "time_above", "area", "peak"]
Level = Annotated[float, Field(gt=0, allow_inf_nan=False)]
LEVELS = {"crossing": "below", "time_above": "above"}
"""The key that says the level, by kind; the others have none."""

Estimates = dict[str, Array]


class EstimandBlock(BaseModel):
    """One quantity: `kind` of an `output`, with its level, counted from a dose."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    kind: Kind
    output: str
    below: Level | None = None
    above: Level | None = None
    dose: str | None = None

    @model_validator(mode="after")
    def _level(self) -> "EstimandBlock":
        needed = LEVELS.get(self.kind)
        given = [key for key in ("below", "above") if getattr(self, key) is not None]
        if given != ([needed] if needed else []):
            got = " and ".join(given) or "no level"
            wanted = f"it needs `{needed}`" if needed else "it takes no level"
            raise PydanticCustomError(
                "refused",
                "{sentence}",
                {"sentence": f"kind = '{self.kind}' got {got}: {wanted}"},
            )
        return self

    def estimate(self, curve: Curve, start: Float[Array, ""]) -> Estimates:
        """The numbers of one subject: `value`, and `outcome` for a crossing."""
        match self.kind:
            case "crossing":
                found = last_down_crossing(curve, jnp.asarray(self.below), start)
                return {"value": found.time, "outcome": found.outcome}
            case "time_above":
                return {"value": time_above(curve, jnp.asarray(self.above), start)}
            case "area":
                return {"value": area(curve, start)}
            case "peak":
                return {"value": peak(curve, start).value}

    def definition(self, units: Mapping[str, str]) -> str:
        """What the number is, in words; `units` by name of output, and of "time"."""
        unit, time = units.get(self.output, ""), units.get("time", "")
        since = f"the last dose{f' of {self.dose}' if self.dose else ''}"
        level = f"{self.below or self.above or 0.0:g} {unit}".rstrip()
        words = {
            "crossing": f"time ({time}) from {since} to the last fall of {self.output} "
            f"below {level}",
            "time_above": f"time ({time}) after {since} with {self.output} at or above "
            f"{level}",
            "area": f"area under {self.output} ({unit or '1'} x {time}) after {since}",
            "peak": f"largest {self.output} ({unit or '1'}) after {since}",
        }
        return f"{words[self.kind]}, up to the last record"
