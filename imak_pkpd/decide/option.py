"""What else may be given to one patient: an `Option` is a set of further doses."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from imak_pkpd.choice import DecisionBlock
from imak_pkpd.decide.designs import shown_amounts


class NotForOneError(ValueError):
    """A design that does not say what one patient would get."""


class Further(NamedTuple):
    """One more dose at `time` (TIME of the file): `part` of an `amount`.

    The amount is in the unit of the cohort's design (per kg, per m2); of a course that
    is split each dose is a part of it, and of its cap.
    """

    name: str
    time: float
    amount: float
    part: float = 1.0


class Option(NamedTuple):
    """Further doses in the order of their times; none: no further dose."""

    doses: tuple[Further, ...] = ()

    @property
    def time(self) -> float | None:
        """Of the first one."""
        return self.doses[0].time if self.doses else None

    @property
    def last(self) -> float | None:
        """The time of the last one."""
        return self.doses[-1].time if self.doses else None

    @property
    def amounts(self) -> Mapping[str, float]:
        """By dose name what a utility knows: the amount, or the parts of it given."""
        return {
            name: own[0].amount * min(sum(each.part for each in own), 1.0)
            for name, own in self._by_name.items()
        }

    @property
    def words(self) -> str:
        if not self.doses:
            return "no further dose"
        return ", ".join(
            f"{name} {self.amounts[name]:.3g} at "
            f"{' + '.join(f'{each.time:g}' for each in own)}"
            for name, own in self._by_name.items()
        )

    @property
    def _by_name(self) -> dict[str, list[Further]]:
        names = dict.fromkeys(each.name for each in self.doses)
        return {n: [each for each in self.doses if each.name == n] for n in names}


def options_at(block: DecisionBlock, times: Sequence[float]) -> Iterator[Option]:
    """No further dose, and then all shown amounts of [decision] at each time."""
    yield Option()
    for time in times:
        for row in shown_amounts(block).tolist():
            named = zip(block.amount, row, strict=True)
            yield Option(tuple(Further(name, time, amount) for name, amount in named))
