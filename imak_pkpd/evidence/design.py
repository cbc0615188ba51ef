"""[cohort.NAME] of a fit file: virtual patients, and what they are given.

    [cohort.trial]
    patients = 64            # quasi-random, for every draw
    refined = 512            # for the draws that are kept
    horizon = 365.0

    [cohort.trial.covariate]
    WT = { median = 70.0, gsd = 1.2 }
    BSA = { median = 1.8, along = "WT", exponent = 0.51 }

    [cohort.trial.group]
    unrelated = { share = 0.3 }

    [cohort.trial.dose]
    cells = { times = [0.0], amount = { median = 1e8, gsd = 1.3 }, per = "WT" }

    [cohort.trial.strata]
    tum_log10B0 = [9.0, 10.0]

Columns and groups are read by [theta] as { column } and by [covariate].
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from imak_pkpd.population.prior import PriorBlock, positive
from imak_pkpd.population.refusal import hint, refusal

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Spread = Annotated[float, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


def as_tuple(raw: Any) -> Any:
    """A list of TOML as what a strict field holds."""
    return tuple(raw) if isinstance(raw, list) else raw


Times = Annotated[tuple[float, ...], BeforeValidator(as_tuple), Field(min_length=1)]


def _rising(cuts: tuple[float, ...]) -> tuple[float, ...]:
    if list(cuts) != sorted(set(cuts)):
        raise refusal(f"got {list(cuts)}: write cuts that rise")
    return cuts


Cuts = Annotated[Times, AfterValidator(_rising)]


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class CovariateDesign(_Block):
    """A covariate, constant in a patient: log-normal.

    With `along`, a covariate above it in the file, its median in a patient is
    `median` times (that one / that one's median)^`exponent`.
    """

    median: Positive
    gsd: Spread = 1.0
    along: str | None = None
    exponent: float = 1.0
    source: str = ""


class GroupDesign(_Block):
    """A column of 1 and 0: a patient is in the group with the probability `share`.

    A share of 0 is a cohort with nobody in a group that another cohort has.

    With `among`, a group above it in the file, only who is in that one can be in it.
    """

    share: Share
    among: str | None = None
    source: str = ""


class DoseDesign(_Block):
    """`amount` times the covariate `per` at each of `times`, as a bolus.

    The amount is a number, or has a prior where it was not published. With a `gsd` it
    differs between patients, log-normally. With `group` only the patients in that
    group get the dose.
    """

    times: Times
    amount: Positive | PriorBlock
    per: str | None = None
    gsd: Spread = 1.0
    group: str | None = None
    source: str = ""

    @model_validator(mode="after")
    def _amount(self) -> "DoseDesign":
        if isinstance(self.amount, PriorBlock):
            if self.amount.column is not None or self.amount.of == "variance":
                raise refusal("an amount is a number, { fixed } or has a prior")
            positive(self.amount)
        return self


class CohortBlock(_Block):
    """Virtual patients: `patients` for every draw, `refined` for those that are kept.

    They are followed from their first dose to `horizon`; `seed` scrambles the
    quasi-random points, `tolerance` is the relative error of one step of the mesh.
    `strata` cut patients by a parameter's value, for tables of outcomes.
    """

    patients: Annotated[int, Field(ge=2)] = 64
    refined: Annotated[int, Field(ge=2)] = 512
    horizon: float
    seed: Annotated[int, Field(ge=0)] = 1
    tolerance: Positive = 1e-4
    covariate: dict[str, CovariateDesign] = {}
    group: dict[str, GroupDesign] = {}
    dose: dict[str, DoseDesign] = {}
    strata: dict[str, Cuts] = {}

    @model_validator(mode="after")
    def _names(self) -> "CohortBlock":
        for sentence in (*_above(self), *_doses(self)):
            raise refusal(sentence)
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Covariates, then groups, in the order of the file."""
        return (*self.covariate, *self.group)

    @property
    def begin(self) -> float:
        """The time of the first dose; zero without one."""
        return min((t for d in self.dose.values() for t in d.times), default=0.0)

    def last_dose(self, dose: str | None) -> float:
        """The time of the last dose (of that name); the begin without one."""
        given = [self.dose[dose]] if dose else list(self.dose.values())
        return max((t for each in given for t in each.times), default=self.begin)

    def treated_otherwise(
        self,
        times: Mapping[str, tuple[float, ...]],
        gsd: Mapping[str, float],
        share: Mapping[str, float],
    ) -> "CohortBlock":
        """The cohort with other times and spreads of doses, and shares of groups."""
        doses = dict(self.dose)
        for key, changed in (("times", times), ("gsd", gsd)):
            for name, value in changed.items():
                doses[name] = doses[name].model_copy(update={key: value})
        groups = {
            name: each.model_copy(update={"share": share.get(name, each.share)})
            for name, each in self.group.items()
        }
        return self.model_copy(update={"dose": doses, "group": groups})


def _above(cohort: CohortBlock) -> list[str]:
    """`along` and `among` that name nothing above them, and names used twice."""
    found = []
    for table, key in ((cohort.covariate, "along"), (cohort.group, "among")):
        known: list[str] = []
        for name, block in table.items():
            other = getattr(block, key)
            if other is not None and other not in known:
                near = hint(other, known)
                found.append(f"{name}: {key} = '{other}' is not above it{near}")
            known.append(name)
    twice = sorted(set(cohort.covariate) & set(cohort.group))
    return [*found, *(f"'{each}' is a covariate and a group" for each in twice)]


def _doses(cohort: CohortBlock) -> list[str]:
    """What doses name that there is not, and doses after the horizon."""
    found = []
    for name, block in cohort.dose.items():
        for key, known in (("per", cohort.covariate), ("group", cohort.group)):
            other = getattr(block, key)
            if other is not None and other not in known:
                near = hint(other, known)
                found.append(f"dose {name}: {key} = '{other}' is unknown{near}")
        if max(block.times) >= cohort.horizon:
            found.append(f"dose {name}: a time is not before horizon {cohort.horizon}")
    return found
