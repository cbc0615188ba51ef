"""The table of a decision: a row per design, what is worth most, how sure it is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from imak_pkpd.choice import DecisionBlock
from imak_pkpd.decide.boin12 import Scored, scored
from imak_pkpd.decide.designs import Layout
from imak_pkpd.decide.evaluate import SCORE, Evaluated
from imak_pkpd.decide.optimum import standard_error

UNSOLVED = 0.01  # more unsolved patients than that, and a design is not admissible
INTERVAL = (0.05, 0.95)  # of draws: what is not known of the parameters

Draws = Float[np.ndarray, "draw design"]
Designs = Float[np.ndarray, " design"]


@dataclass(frozen=True)
class Limited:
    """One limit at one design: the mean, its error, and how likely it is broken.

    `broken` is the share of draws whose mean over patients is above the limit.
    """

    mean: float
    se: float
    broken: float
    holds: bool


@dataclass(frozen=True)
class Row:
    """A design. Means are over patients and draws; intervals over draws, `spread` over
    patients (5, 50, 95 %); `terms` are the summands of the utility as they add up."""

    layout: Layout
    amounts: Mapping[str, float]
    utility: float
    utility_se: float
    utility_interval: tuple[float, float]
    best: float
    loss: float
    limits: Mapping[str, Limited]
    means: Mapping[str, float]
    errors: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    spread: Mapping[str, tuple[float, ...]]
    failed: float
    extrapolated: tuple[str, ...]
    boin12: Scored | None
    terms: tuple[float, ...]

    @property
    def admissible(self) -> bool:
        """Whether every limit holds and the patients could be solved."""
        return self.failed <= UNSOLVED and all(x.holds for x in self.limits.values())

    @property
    def why_not(self) -> str:
        """What keeps it from being admissible; empty when nothing does."""
        broken = [name for name, each in self.limits.items() if not each.holds]
        unsolved = [f"{self.failed:.1%} unsolved"] if self.failed > UNSOLVED else []
        return ", ".join([*broken, *unsolved])


class Table:
    """All designs of all layouts, on common draws and patients."""

    def __init__(
        self,
        block: DecisionBlock,
        parts: Sequence[Evaluated],
        seen: Mapping[str, tuple[float, float] | None],
    ) -> None:
        self.block, self.parts, self.seen = block, parts, seen
        names = parts[0].means
        self.means = {
            name: np.concatenate([part.means[name] for part in parts], -1)
            for name in names
        }
        self.holds = np.array([self._holds(i) for i in range(self.size)])

    @property
    def size(self) -> int:
        return sum(len(part.amounts) for part in self.parts)

    @property
    def utility(self) -> Designs:
        """The expected utility of every design."""
        return self.means["utility"].mean((0, 1))

    def flat(self, name: str) -> Draws:
        """The mean over patients of a number, batches in a row."""
        value = self.means[name]
        return value.reshape(-1, value.shape[-1])

    def best(self, name: str = "utility") -> int | None:
        """The admissible design of the largest `name`; None when no design is."""
        value = np.where(self.holds, self.means[name].mean((0, 1)), -np.inf)
        return int(np.argmax(value)) if self.holds.any() else None

    def row(self, place: int) -> Row:
        part, own = self._part(place)
        among = self.holds if self.holds.any() else np.ones(self.size, bool)
        flat = np.where(among, self.flat("utility"), -np.inf)
        top = flat.max(-1)
        amounts = dict(zip(self.block.amount, part.amounts[own].tolist(), strict=True))
        plain = [n for n in self.means if "[" not in n and n not in SPECIAL]
        return Row(
            part.layout,
            amounts,
            float(self.utility[place]),
            self._se("utility", place),
            self._interval("utility", place),
            float(np.mean(flat.argmax(-1) == place)),
            float(np.mean(top - self.flat("utility")[:, place])),
            {name: self._limit(name, place) for name in self.block.limit},
            {n: float(self.means[n][..., place].mean()) for n in plain},
            {n: self._se(n, place) for n in plain},
            {n: self._interval(n, place) for n in plain},
            {n: tuple(v[own].tolist()) for n, v in part.spread.items()},
            float(self.means["failed"][..., place].mean()),
            tuple(n for n, x in amounts.items() if outside(x, self.seen.get(n))),
            self._boin12(place),
            tuple(self._terms(place)),
        )

    def rows(self) -> list[Row]:
        return [self.row(place) for place in range(self.size)]

    def as_good(self) -> Bool[np.ndarray, " design"]:
        """Admissible designs less than `margin` below the best."""
        place = self.best()
        if place is None:
            return np.zeros(self.size, bool)
        near = self.utility >= self.utility[place] - self.block.margin
        return near & self.holds

    def _part(self, place: int) -> tuple[Evaluated, int]:
        for part in self.parts:
            if place < len(part.amounts):
                return part, place
            place -= len(part.amounts)
        raise IndexError(place)

    def _se(self, name: str, place: int) -> float:
        return standard_error(self.means[name][..., place].mean(1))

    def _interval(self, name: str, place: int) -> tuple[float, float]:
        low, high = np.quantile(self.flat(name)[:, place], INTERVAL)
        return float(low), float(high)

    def _limit(self, name: str, place: int) -> Limited:
        limit, value = self.block.limit[name], self.flat(f"limit[{name}]")[:, place]
        broken = float(np.mean(value > limit.at_most))
        holds = value.mean() <= limit.at_most
        if limit.sure is not None:
            holds &= 1.0 - broken >= limit.sure
        error = self._se(f"limit[{name}]", place)
        return Limited(float(value.mean()), error, broken, bool(holds))

    def _boin12(self, place: int) -> Scored | None:
        rules = self.block.boin12
        if rules is None:
            return None
        names = (rules.toxicity, rules.efficacy, SCORE)
        return scored(rules, *(self.means[name][..., place] for name in names))

    def _terms(self, place: int) -> Iterator[float]:
        """What the utility gains where a summand counts twice."""
        for number in range(len(self.block.worth.terms)):
            twice = self.means[f"utility[{number}]*2"][..., place].mean()
            yield float(twice - self.utility[place])

    def _holds(self, place: int) -> bool:
        solved = self.means["failed"][..., place].mean() <= UNSOLVED
        limits = (self._limit(name, place).holds for name in self.block.limit)
        return bool(solved) and all(limits)


SPECIAL = ("utility", "failed")


def outside(amount: float, seen: tuple[float, float] | None) -> bool:
    """Whether an amount is beyond those seen in data; nothing was seen: always."""
    return seen is None or not seen[0] <= amount <= seen[1]
