"""The options of one patient's next dose, compared on common draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from imak_pkpd.choice import DecisionBlock
from imak_pkpd.decide.evaluate import limited
from imak_pkpd.decide.option import Option
from imak_pkpd.decide.table import UNSOLVED

Outcomes = Mapping[str, Float[np.ndarray, " draw"]]


class OptionRow(NamedTuple):
    """One option. Means are over the draws in which every option could be solved.

    `gain` is the expected utility above that of no further dose, with its Monte Carlo
    error; `best` how probably no admissible option is better, `loss` what is expected
    to be lost against knowing. `broken` are the limits that do not hold.
    """

    option: Option
    utility: float
    gain: float
    gain_se: float
    best: float
    loss: float
    limits: Mapping[str, float]
    broken: tuple[str, ...]
    means: Mapping[str, float]
    unsolved: float

    @property
    def admissible(self) -> bool:
        return not self.broken and self.unsolved <= UNSOLVED


def rows_of(
    block: DecisionBlock,
    options: Sequence[Option],
    outcomes: Sequence[Outcomes],
    effective: float,
) -> tuple[tuple[OptionRow, ...], int]:
    """All rows, and in how many draws every option could be solved.

    `effective` is what the draws are worth for a Monte Carlo error. The first option
    is no further dose. Raises a `ValueError` when there is no such draw.
    """
    solved = np.stack([solved_draws(each) for each in outcomes])
    together = solved.all(0)
    if not together.any():
        raise ValueError(
            "no draw could be solved under every option: give other times or amounts"
        )
    kept = [{n: v[together] for n, v in each.items()} for each in outcomes]
    worth = effective * float(together.mean())
    made = _Compared(block, options, kept, 1.0 - solved.mean(1), max(worth, 1.0))
    return tuple(made.row(place) for place in range(len(options))), int(together.sum())


@dataclass(frozen=True)
class _Compared:
    """Every option at the same draws; `unsolved` of all draws, by option."""

    block: DecisionBlock
    options: Sequence[Option]
    outcomes: Sequence[Outcomes]
    unsolved: Float[np.ndarray, " option"]
    effective: float

    def row(self, place: int) -> OptionRow:
        own, gain = self.utility[place], self.utility[place] - self.utility[0]
        lost = np.maximum(self._top.max(0) - own, 0.0)
        return OptionRow(
            option=self.options[place],
            utility=float(own.mean()),
            gain=float(gain.mean()),
            gain_se=float(gain.std() / np.sqrt(self.effective)),
            best=self._share_best(place),
            loss=float(lost.mean()),
            limits=self.limits[place],
            broken=self._broken(place),
            means=_means(self.outcomes[place]),
            unsolved=float(self.unsolved[place]),
        )

    @cached_property
    def utility(self) -> Float[np.ndarray, "option draw"]:
        pairs = zip(self.options, self.outcomes, strict=True)
        return np.stack([utility_of(self.block, *pair) for pair in pairs])

    @cached_property
    def limits(self) -> list[dict[str, float]]:
        return [_limits(self.block, each) for each in self.outcomes]

    def _broken(self, place: int) -> tuple[str, ...]:
        there = self.limits[place].items()
        return tuple(n for n, x in there if x > self.block.limit[n].at_most)

    @cached_property
    def _top(self) -> Float[np.ndarray, "option draw"]:
        """The utilities of admissible options, -inf of others; all where none is."""
        keeps = np.array([not self._broken(i) for i in range(len(self.options))])
        among = keeps & (self.unsolved <= UNSOLVED)
        return np.where((among | ~among.any())[:, None], self.utility, -np.inf)

    def _share_best(self, place: int) -> float:
        """Of draws in which an option is best; ties are shared."""
        best = self._top == self._top.max(0)
        return float(np.mean(best[place] / best.sum(0)))


def solved_draws(outcomes: Outcomes) -> Bool[np.ndarray, " draw"]:
    """By draw: every estimand has a number, or a crossing its outcome."""
    found = [
        outcomes[f"{name}_outcome"] >= 0
        if f"{name}_outcome" in outcomes
        else np.isfinite(value)
        for name, value in outcomes.items()
        if not name.endswith("_outcome")
    ]
    return np.all(found, axis=0)


def utility_of(
    block: DecisionBlock, option: Option, outcomes: Outcomes
) -> Float[np.ndarray, " draw"]:
    """By draw; amounts are 0 where nothing is given."""
    named: dict[str, Any] = {
        **outcomes,
        **{name: option.amounts.get(name, 0.0) for name in block.amount},
    }
    draws = len(next(iter(outcomes.values())))
    return np.broadcast_to(np.asarray(block.worth.value(named), float), draws)


def _limits(block: DecisionBlock, outcomes: Outcomes) -> dict[str, float]:
    values = {name: jnp.asarray(value) for name, value in outcomes.items()}
    return {
        name: float(jnp.mean(limited(block, name, values, soft=False)))
        for name in block.limit
    }


def _means(outcomes: Outcomes) -> dict[str, float]:
    """Of what is no crossing, whose times may not exist."""
    return {
        name: float(value.mean())
        for name, value in outcomes.items()
        if not name.endswith("_outcome") and f"{name}_outcome" not in outcomes
    }
