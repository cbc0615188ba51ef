"""The [data] block of a fit file: which file, and how its columns are to be read."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from imak_pkpd.data.clock import HOURS
from imak_pkpd.data.names import StandardName

CarryRule = Literal["constant", "locf", "nocb", "linear"]
"""What a covariate is between two records: a required word, never a default."""


class ExcludeBlock(BaseModel):
    """Rows that are left out, and why: `{ column, equals, reason }`.

    `equals` is compared as a number where both are numbers, else as text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    equals: str | float | tuple[str | float, ...]
    reason: str = Field(min_length=1)

    @property
    def values(self) -> tuple[str, ...]:
        """What is excluded, as text."""
        equals = self.equals if isinstance(self.equals, tuple) else (self.equals,)
        return tuple(str(value) for value in equals)


class DataBlock(BaseModel):
    """How the patient file is read.

    `file`       CSV, `.xpt` or `.sas7bdat`, relative to the fit file.
    `time`       the unit of TIME; absent in a model without time (rows get TIME 0).
    `inputs`     CMT number of a dose record -> dose name of the model.
    `covariates` column -> the rule that carries it between records.

    Rarer:
    `units`      dose name -> unit of its AMT, which must be the model's.
    `columns`    standard name -> column of the file, e.g. `{ DV = "conc" }`.
    `drop`       columns that are not read although their name is a standard one.
    `missing`    further codes of a missing value, e.g. `[-99]`.
    `exclude`    rows that are left out, with a reason that is counted.
    `returning_id` "join" puts the parts of an ID that comes back together, in order
                 of time; otherwise an ID that comes back is an error.
    `synthetic`  the data are simulated: said wherever they are shown.
    `date`, `clock` columns with an ISO date and an HH:MM clock time, from which TIME is
                 counted since the subject's first record.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Path
    time: str | None = None
    inputs: dict[int, str] = {}
    units: dict[str, str] = {}
    covariates: dict[str, CarryRule] = {}
    columns: dict[StandardName, str] = {}
    drop: tuple[str, ...] = ()
    missing: tuple[str | float, ...] = ()
    exclude: tuple[ExcludeBlock, ...] = ()
    returning_id: Literal["error", "join"] = "error"
    synthetic: bool = False
    date: str | None = None
    clock: str | None = None

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @property
    def has_calendar(self) -> bool:
        """Whether TIME comes from a date or clock column."""
        return self.date is not None or self.clock is not None

    @model_validator(mode="after")
    def _check(self) -> "DataBlock":
        for number in self.inputs:
            if number < 1:
                raise _refusal(f"inputs has CMT {number}: write a number from 1 on")
        if self.has_calendar and self.time not in HOURS:
            units = ", ".join(HOURS)
            raise _refusal(
                f"time is '{self.time}' with a date or clock: write one of {units}"
            )
        if self.has_calendar and "TIME" in self.columns:
            raise _refusal("TIME has a column and a date or clock: keep one of them")
        return self


def _refusal(sentence: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "{sentence}", {"sentence": sentence})
