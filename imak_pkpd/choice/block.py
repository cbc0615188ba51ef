"""[decision] of a fit file: what may be chosen for the patients of a cohort.

    [decision]
    cohort = "trial"
    utility = "cr + cure - 2*gvhd - grade_3"

    [decision.amount]                  # per kg or m2, as in the cohort's design
    cells = { low = 1e7, high = 1e9, cap = 2e10 }

    [decision.times]
    cells = { options = [[0.0], [0.0, 7.0]], split = true }

    [decision.group]                   # nobody, or everybody who can be
    rituximab = [0.0, 1.0]

    [decision.limit]                   # by the name of an estimand
    gvhd = { at_most = 0.05 }
    t_rej = { later_than = 6.0, at_most = 0.1 }

    [decision.show]                    # courses of outputs, until a time
    chimerism = 14.0

    [decision.boin12]                  # scores beside the utility: `boin12`
    ...

It changes no posterior: a run stays valid when its [decision] is written anew.
"""

import math
from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from imak_pkpd.choice.boin12 import Boin12Block
from imak_pkpd.choice.utility import Utility, parse_utility
from imak_pkpd.population.refusal import refusal

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


def _tuple(raw: object) -> object:
    return tuple(_tuple(each) for each in raw) if isinstance(raw, list) else raw


Levels = Annotated[tuple[Positive, ...], BeforeValidator(_tuple), Field(min_length=1)]
Shares = Annotated[tuple[Share, ...], BeforeValidator(_tuple), Field(min_length=1)]
Course = Annotated[tuple[float, ...], Field(min_length=1)]
Courses = Annotated[tuple[Course, ...], BeforeValidator(_tuple), Field(min_length=1)]


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class AmountChoice(_Block):
    """An amount between `low` and `high`, shown at `points`, or one of `levels`.

    In the unit of the cohort's design (per kg, per m2). `cap` is the most that a
    patient gets of it in all, `digits` the significant ones of a recommendation; with
    a `gsd` patients get more or less than was planned, log-normally.
    """

    low: Positive | None = None
    high: Positive | None = None
    points: Annotated[int, Field(ge=2)] = 13
    levels: Levels | None = None
    cap: Positive | None = None
    digits: Annotated[int, Field(ge=1)] = 2
    gsd: Annotated[float, Field(ge=1)] = 1.0

    @model_validator(mode="after")
    def _one_way(self) -> "AmountChoice":
        bounds = [self.low is not None, self.high is not None]
        if self.levels is not None and any(bounds):
            raise refusal("got levels and bounds: write low and high, or levels")
        if self.levels is None and not all(bounds):
            raise refusal("write low and high, or levels")
        if list(self.shown) != sorted(set(self.shown)):
            raise refusal(f"got {list(self.shown)}: write amounts that rise")
        return self

    @property
    def free(self) -> bool:
        """Whether every amount between the bounds may be chosen."""
        return self.levels is None

    @property
    def shown(self) -> tuple[float, ...]:
        """The amounts of the table: levels, or points evenly spaced in logarithm."""
        if self.levels is not None:
            return self.levels
        assert self.low is not None
        assert self.high is not None
        return tuple(np.geomspace(self.low, self.high, self.points).tolist())

    def rounded(self, amount: float) -> float:
        """To `digits` significant ones, inside the bounds; a level stays."""
        if not self.free or amount == 0:
            return amount
        places = self.digits - 1 - math.floor(math.log10(amount))
        return float(np.clip(round(amount, places), self.shown[0], self.shown[-1]))


class TimesChoice(_Block):
    """When a dose is given: one of `options`.

    With `split` an amount is that of the whole course, and each time gets its part;
    without it each time gets the amount.
    """

    options: Courses
    split: bool = False


class LimitBlock(_Block):
    """What at most may happen: the mean of an estimand over patients and draws.

    Of a crossing, with `later_than`: the share of patients who have not crossed by
    then. With `sure` that share of the draws must keep the limit as well.
    """

    at_most: float
    later_than: float | None = None
    sure: Share | None = None


class DecisionBlock(_Block):
    """The choice; see this file's head.

    Each of `batches` has its own `draws` of the posterior and its own `patients`, so
    that their spread is the Monte Carlo error. Designs whose utility is less than
    `margin` below the best count as equally good. `show` names outputs whose courses
    are drawn, each until a time. `boin12` scores every design beside the utility.
    """

    cohort: str
    utility: str
    amount: dict[str, AmountChoice] = {}
    times: dict[str, TimesChoice] = {}
    group: dict[str, Shares] = {}
    limit: dict[str, LimitBlock] = {}
    show: dict[str, Positive] = {}
    boin12: Boin12Block | None = None
    margin: Annotated[float, Field(ge=0)] = 0.02
    draws: Annotated[int, Field(ge=1)] = 20
    patients: Annotated[int, Field(ge=2)] = 64
    batches: Annotated[int, Field(ge=4)] = 10
    seed: Annotated[int, Field(ge=0)] = 1

    @model_validator(mode="after")
    def _something(self) -> "DecisionBlock":
        parse_utility(self.utility)
        if not (self.amount or self.times or self.group):
            raise refusal("nothing is to be chosen: add [decision.amount]")
        return self

    @property
    def worth(self) -> Utility:
        """The utility, parsed."""
        return parse_utility(self.utility)

    @property
    def free(self) -> tuple[str, ...]:
        """The doses whose amount is any number between bounds."""
        return tuple(name for name, each in self.amount.items() if each.free)

    def limits(self) -> Iterator[tuple[str, str]]:
        """Every limit by the name of its estimand, in words."""
        for name, each in self.limit.items():
            what = name if each.later_than is None else f"{name} > {each.later_than:g}"
            sure = "" if each.sure is None else f" (sure: {each.sure:.0%})"
            yield name, f"{what} at most {each.at_most:g}{sure}"
