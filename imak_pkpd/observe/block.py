"""[output.NAME] of a fit file: unit, residual error and censoring of one output."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    model_validator,
)

from imak_pkpd.observe.count_errors import (
    BernoulliError,
    BetaBinomialError,
    BinomialError,
    OrdinalError,
    PoissonError,
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
from imak_pkpd.observe.event import EventError
from imak_pkpd.observe.likelihood import Method
from imak_pkpd.population.distribution import allows_negative
from imak_pkpd.population.prior import PriorBlock, positive
from imak_pkpd.population.refusal import refusal

ErrorName = Literal[
    "additive", "proportional", "combined1", "combined2", "lognormal", "student_t",
    "binomial", "beta_binomial", "poisson", "bernoulli", "ordinal", "event",
]  # fmt: skip
EventTime = Literal["exact", "interval"]
DISCRETE = ("binomial", "beta_binomial", "poisson", "bernoulli", "ordinal")
"""The errors whose DV is a whole number from 0 on."""


def of_the_row(given: Any) -> Any:
    """A number as `{ fixed }`, the name of a column as `{ column }`."""
    if isinstance(given, str):
        return {"column": given}
    if isinstance(given, bool) or not isinstance(given, int | float):
        return given
    return {"fixed": float(given)}


def known(block: PriorBlock) -> PriorBlock:
    """The block itself, refused unless it is a positive number or a column."""
    if block.sampled:
        raise refusal(f"got {block}: write a number, or the name of a column")
    if block.fixed is not None and block.fixed <= 0:
        raise refusal(f"got {block.fixed:g}: write a number above 0")
    return block


def whole(block: PriorBlock) -> PriorBlock:
    """The block itself, refused where it is a fraction."""
    if block.fixed is not None and block.fixed != round(block.fixed):
        raise refusal(f"got {block.fixed:g}: write how many were scored")
    return block


def share(block: PriorBlock) -> PriorBlock:
    """The block itself, refused where it cannot be a probability."""
    if block.fixed is not None and not 0 <= block.fixed < 1:
        raise refusal(f"got fixed = {block.fixed:g}: write a fraction from 0 to 1")
    if block.sampled and allows_negative(block.distribution()):
        raise refusal(
            f"got {block}, which allows negative values: a probability needs a prior "
            "such as Beta or { median, gsd }"
        )
    return block


PositivePrior = Annotated[PriorBlock, AfterValidator(positive)]
Share = Annotated[PriorBlock, AfterValidator(share)]
OfTheRow = Annotated[PriorBlock, BeforeValidator(of_the_row), AfterValidator(known)]
SIGMAS = (
    *("sigma", "additive", "proportional", "df"),
    *("false_positive", "concentration", "trials", "exposure"),
)
DEVIATIONS = ("sigma", "additive", "proportional")


class OutputBlock(BaseModel):
    """One output of the model: what its assay reports and how well.

    `unit` must be the model's; `dvid` is the DVID of its rows (not needed with one
    output); `lloq` and `uloq` are limits of quantification where the data file has no
    LIMIT or LLOQ column.

    Of a count (`errors` and `count_errors` say which error needs which key): `trials`
    and `exposure` are a number or a column of the data; `at_least` names the model's
    outputs P(grade >= 1), …, P(grade >= K), instead of an output NAME.
    `limit`, a number with a prior, replaces the limit in DV where CENS is 1: one that
    the laboratory does not know for sure, the same in all rows.

    Of a time to an event (`observe.event`) the output is the hazard; `event` says
    whether DV = 1 is "at TIME" or "since the row before".
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    unit: str
    dvid: int | None = None
    error: ErrorName
    sigma: PositivePrior | None = None
    additive: PositivePrior | None = None
    proportional: PositivePrior | None = None
    df: PositivePrior | None = None
    false_positive: Share | None = None
    concentration: PositivePrior | None = None
    trials: Annotated[OfTheRow, AfterValidator(whole)] | None = None
    exposure: OfTheRow | None = None
    at_least: Annotated[tuple[str, ...], Field(strict=False)] = ()
    event: EventTime = "exact"
    limit: PositivePrior | None = None
    censoring: Method = "M3"
    lloq: FiniteFloat | None = None
    uloq: FiniteFloat | None = None

    @model_validator(mode="after")
    def _keys_of_error(self) -> "OutputBlock":
        needed = self.error_model.keys
        got = tuple(self.sigmas)
        if set(got) != set(needed):
            nothing = "none of its keys" if self.discrete or self.timed else "no SD"
            raise refusal(
                f"error = '{self.error}' got {' and '.join(got) or nothing}: "
                f"it needs {' and '.join(needed) or 'none'}, and no other of "
                f"{', '.join(SIGMAS)}"
            )
        for key, block in self.numbers.items():
            if key not in DEVIATIONS and block.of == "variance":
                raise refusal(f"{key} got of = 'variance': it is a number, remove `of`")
        return self

    @model_validator(mode="after")
    def _grades(self) -> "OutputBlock":
        if (self.error == "ordinal") != bool(self.at_least):
            got = (
                f"at_least = {list(self.at_least)}" if self.at_least else "no at_least"
            )
            raise refusal(
                f"error = '{self.error}' got {got}: an ordinal error, and no other, "
                "needs the names of the model's outputs P(grade >= 1), P(grade >= 2), …"
            )
        if len(set(self.at_least)) < len(self.at_least):
            raise refusal(f"at_least got {list(self.at_least)}: name each output once")
        return self

    @model_validator(mode="after")
    def _one_kind_of_limit(self) -> "OutputBlock":
        limits = [k for k in ("lloq", "uloq", "limit") if getattr(self, k) is not None]
        if self.discrete and limits:
            raise refusal(
                f"error = '{self.error}' got {' and '.join(limits)}: mark such a row "
                "with CENS = 1 and the largest count that is called negative as its DV"
            )
        if self.discrete and self.censoring == "M4":
            raise refusal(f"error = '{self.error}' got M4: a count is never negative")
        if self.limit is not None and self.lloq is not None:
            raise refusal("got lloq and limit: keep the one that holds")
        return self

    @model_validator(mode="after")
    def _time_to_event(self) -> "OutputBlock":
        if not self.timed and "event" in self.model_fields_set:
            raise refusal(
                f"error = '{self.error}' got event = '{self.event}': only a time to an "
                "event has it; remove the line, or write error = 'event'"
            )
        measured = [
            k for k in ("lloq", "uloq", "limit") if getattr(self, k) is not None
        ]
        measured += ["censoring = 'M4'"] if self.censoring == "M4" else []
        if self.timed and measured:
            raise refusal(
                f"error = 'event' got {' and '.join(measured)}: who had no event yet "
                "has a row with DV = 0, nothing else is censored; remove it"
            )
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
            case "binomial":
                return BinomialError()
            case "beta_binomial":
                return BetaBinomialError()
            case "poisson":
                return PoissonError()
            case "bernoulli":
                return BernoulliError()
            case "ordinal":
                return OrdinalError()
            case "event":
                return EventError(self.event == "interval")

    @property
    def discrete(self) -> bool:
        """Whether DV is a count or a grade."""
        return self.error in DISCRETE

    @property
    def timed(self) -> bool:
        """Whether DV says that an event has happened, and the output is its hazard."""
        return self.error == "event"

    def reads(self, name: str) -> tuple[str, ...]:
        """The model's outputs that the output `name` is made of."""
        return self.at_least or (name,)

    @property
    def sigmas(self) -> dict[str, PriorBlock]:
        """The SDs and the other numbers that the error needs, by key."""
        given = {key: getattr(self, key) for key in SIGMAS}
        return {key: block for key, block in given.items() if block is not None}

    @property
    def numbers(self) -> dict[str, PriorBlock]:
        """All numbers that the block gives, by key."""
        return (
            self.sigmas if self.limit is None else {**self.sigmas, "limit": self.limit}
        )
