"""[trial] of a fit file: arms, endpoints and losses of a simulated parallel trial.

    [trial]
    cohort = "trial"
    size = 33                                  # patients of an arm
    dropout = { share = 0.1, by = 90.0 }       # who leave, whatever their state
    death = { share = 0.05, by = 90.0 }        # or { of = "an estimand" }

    [trial.arm.usual]                          # the first one: others are held to it
    amount = { cells = 1e8 }
    [trial.arm.twice]
    amount = { cells = { planned = 1e8, cap = 2e10, gsd = 1.3 } }
    times = { cells = [0.0, 7.0] }
    group = { rituximab = 1.0 }

    [trial.endpoint.response]
    of = "cr"
    [trial.endpoint.gvhd]
    of = "gvhd"
    better = "less"
    against = 0.2                              # a number, or an arm

It changes no posterior: a run stays valid when its [trial] is written anew.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from imak_pkpd.population.refusal import hint, refusal

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Part = Annotated[float, Field(ge=0, lt=1)]
Rule = Literal["failure", "left_out"]
"""What an endpoint makes of a patient who is gone before it is seen."""


def _tuple(raw: object) -> object:
    return tuple(raw) if isinstance(raw, list) else raw


def _planned(raw: object) -> object:
    return {"planned": raw} if isinstance(raw, int | float) else raw


Course = Annotated[tuple[float, ...], BeforeValidator(_tuple), Field(min_length=1)]


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ArmAmount(_Block):
    """An amount in the unit of the cohort's design (per kg, per m2); see AmountChoice.

    With `split` it is that of the whole course, and each time gets its part.
    """

    planned: Positive
    cap: Positive | None = None
    gsd: Annotated[float, Field(ge=1)] = 1.0
    split: bool = False


Amount = Annotated[ArmAmount, BeforeValidator(_planned)]


class ArmBlock(_Block):
    """How an arm is treated; what it does not name is as in the cohort.

    `group` is the share of patients in it, `size` how many patients the arm has where
    arms differ in that.
    """

    amount: dict[str, Amount] = {}
    times: dict[str, Course] = {}
    group: dict[str, Share] = {}
    size: Annotated[int, Field(ge=2)] | None = None


class EndpointBlock(_Block):
    """What is counted of every patient, and what makes it a success.

    `of` an estimand: a probability is drawn as yes or no, a crossing is a time to an
    event (with `later_than`: yes or no, whether it has not crossed by then), anything
    else is a number. It is seen at the time `at` after the start of its estimand, by
    default as late as that looks. An arm is a success where the one-sided test against
    `against` (an arm, the first one by default, or a number) has p <= `alpha`.

    `dropout` and `death` say what becomes of those who are gone by then: "failure" is
    the worse answer, "left_out" leaves them out (a time: is censored).
    """

    of: str
    at: Positive | None = None
    later_than: Positive | None = None
    better: Literal["more", "less"] = "more"
    against: str | float | None = None
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.025
    dropout: Rule = "failure"
    death: Rule = "failure"


class DropoutBlock(_Block):
    """Who leave at a constant rate: the `share` that has left `by` a time.

    The time counts from an arm's first dose, in the model's unit.
    """

    share: Part
    by: Positive


class DeathBlock(_Block):
    """Deaths: at a constant rate as `DropoutBlock`, or of an estimand.

    `of` a crossing they die at that time; `of` a probability, which is that of death
    `by` a time, at the constant rate of each patient that gives it.
    """

    share: Part | None = None
    of: str | None = None
    by: Positive | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "DeathBlock":
        if (self.share is None) == (self.of is None):
            raise refusal("write share and by, or of")
        if self.share is not None and self.by is None:
            raise refusal(f"got share = {self.share:g}: say by when, by = ...")
        return self


class TrialBlock(_Block):
    """The trial; see this file's head.

    It is simulated `repeats` times at each of `draws` of the posterior, with new
    patients every time. What an arm truly does at a draw is the mean over `patients`
    quasi-random ones, the same in all arms.
    """

    cohort: str
    size: Annotated[int, Field(ge=2)]
    draws: Annotated[int, Field(ge=10)] = 100
    repeats: Annotated[int, Field(ge=2)] = 5
    patients: Annotated[int, Field(ge=2)] = 128
    seed: Annotated[int, Field(ge=0)] = 1
    dropout: DropoutBlock | None = None
    death: DeathBlock | None = None
    arm: Annotated[dict[str, ArmBlock], Field(min_length=1)]
    endpoint: Annotated[dict[str, EndpointBlock], Field(min_length=1)]

    @model_validator(mode="after")
    def _compared(self) -> "TrialBlock":
        for name, each in self.endpoint.items():
            against = self.against(name)
            if isinstance(against, str) and against not in self.arm:
                near = hint(against, self.arm)
                raise refusal(f"endpoint {name}: there is no arm '{against}'{near}")
            if not list(self.compared(name)):
                raise refusal(
                    f"endpoint {name}: the only arm is held to itself: add an arm, or "
                    "write against = a number"
                )
            if each.later_than is not None and each.at is not None:
                raise refusal(f"endpoint {name}: got at and later_than: write one")
        return self

    def against(self, endpoint: str) -> str | float:
        """The arm or the number that an endpoint is held to."""
        named = self.endpoint[endpoint].against
        return next(iter(self.arm)) if named is None else named

    def compared(self, endpoint: str) -> Iterator[str]:
        """The arms that are held to it."""
        return (name for name in self.arm if name != self.against(endpoint))

    def size_of(self, arm: str) -> int:
        """How many patients an arm has."""
        return self.arm[arm].size or self.size
