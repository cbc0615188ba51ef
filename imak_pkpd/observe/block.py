"""[output.NAME] of a fit file: unit, residual error and censoring of one output."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    FiniteFloat,
    model_validator,
)

from imak_pkpd.observe.errors import (
    AbstractError,
    AdditiveError,
    Combined1Error,
    Combined2Error,
    LognormalError,
    ProportionalError,
    StudentTError,
)
from imak_pkpd.observe.likelihood import Method
from imak_pkpd.population.prior import PriorBlock, positive
from imak_pkpd.population.refusal import refusal

ErrorName = Literal[
    "additive", "proportional", "combined1", "combined2", "lognormal", "student_t"
]
PositivePrior = Annotated[PriorBlock, AfterValidator(positive)]
SIGMAS = ("sigma", "additive", "proportional", "df")


class OutputBlock(BaseModel):
    """One output of the model: what its assay reports and how well.

    `unit` must be the model's; `dvid` is the DVID of its rows (not needed with one
    output); `lloq` and `uloq` are limits of quantification where the data file has no
    LIMIT or LLOQ column.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    unit: str
    dvid: int | None = None
    error: ErrorName
    sigma: PositivePrior | None = None
    additive: PositivePrior | None = None
    proportional: PositivePrior | None = None
    df: PositivePrior | None = None
    censoring: Method = "M3"
    lloq: FiniteFloat | None = None
    uloq: FiniteFloat | None = None

    @model_validator(mode="after")
    def _keys_of_error(self) -> "OutputBlock":
        needed = self.error_model.keys
        got = tuple(self.sigmas)
        if set(got) != set(needed):
            raise refusal(
                f"error = '{self.error}' got {' and '.join(got) or 'no SD'}: "
                f"it needs {' and '.join(needed)}, and no other of {', '.join(SIGMAS)}"
            )
        if self.df is not None and self.df.of == "variance":
            raise refusal("df got of = 'variance': it is a number, remove `of`")
        return self

    @model_validator(mode="after")
    def _limits(self) -> "OutputBlock":
        if self.lloq is not None and self.uloq is not None and self.lloq >= self.uloq:
            raise refusal(
                f"got lloq = {self.lloq} and uloq = {self.uloq}: "
                "lloq must be the smaller one"
            )
        positive_only = self.error == "lognormal" or self.censoring == "M4"
        for name, value in (("lloq", self.lloq), ("uloq", self.uloq)):
            if positive_only and value is not None and value <= 0:
                raise refusal(
                    f"got {name} = {value}: with a lognormal error or M4 a DV is "
                    "positive, and so is its limit; write it in the output's unit"
                )
        return self

    @property
    def error_model(self) -> AbstractError:
        """The residual error as an object."""
        match self.error:
            case "additive":
                return AdditiveError()
            case "proportional":
                return ProportionalError()
            case "combined1":
                return Combined1Error()
            case "combined2":
                return Combined2Error()
            case "lognormal":
                return LognormalError()
            case "student_t":
                return StudentTError()

    @property
    def sigmas(self) -> dict[str, PriorBlock]:
        """The SDs (and df) that the block gives, by key."""
        given = {key: getattr(self, key) for key in SIGMAS}
        return {key: block for key, block in given.items() if block is not None}
