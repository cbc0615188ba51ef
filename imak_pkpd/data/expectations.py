"""What a fit declares about the data, for the rules that need to know the fit.

`data` imports neither models nor fits: whoever has them fills in this small type.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class ExpectedCount:
    """DV is a whole number from 0 on.

    `of` is a number or a column: of `trials`, how many were scored; of an `exposure`,
    how much was searched; of an `answer` 1, of a `grade` the highest one.
    """

    kind: Literal["trials", "exposure", "answer", "grade"]
    of: float | str


@dataclass(frozen=True)
class ExpectedOutput:
    """One output of the fit: its DVID (None: the only output), error and limit.

    `lognormal` says that DV must be positive; `lloq` holds where the file has no limit;
    `count` says what a DV that is counted or graded may be; `unit` is that of DV, which
    the file may state in AVALU; `event` that DV is 1 at an event, and how its time is
    known.
    """

    dvid: int | float | str | None = None
    lognormal: bool = False
    lloq: int | float | None = None
    count: ExpectedCount | None = None
    unit: str | None = None
    event: Literal["exact", "interval"] | None = None


@dataclass(frozen=True)
class Expectations:
    """What a fit declares.

    `outputs`            by name, in the order of the fit.
    `modelled_rate`      dose names whose rate is a parameter (RATE = -1).
    `modelled_duration`  dose names whose duration is a parameter (RATE = -2).
    `covariates`         columns used as covariates: each needs a carrying rule.
    `log_covariates`     those that stand under a logarithm (power effects).
    `number_covariates`  those that must be numbers, not words.
    """

    outputs: Mapping[str, ExpectedOutput]
    modelled_rate: frozenset[str] = field(default_factory=frozenset)
    modelled_duration: frozenset[str] = field(default_factory=frozenset)
    covariates: frozenset[str] = field(default_factory=frozenset)
    log_covariates: frozenset[str] = field(default_factory=frozenset)
    number_covariates: frozenset[str] = field(default_factory=frozenset)
