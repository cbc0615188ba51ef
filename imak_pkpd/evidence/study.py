"""[study.NAME] of a fit file: whose outcomes were published, and what else they tell.

    [study.phase_1]
    source = "Slavin et al. 2010, 10.1007/s00262-010-0878-1"
    overlaps = ["later"]             # some patients may be in both
    informed = ["don_rhoN"]          # priors that were set with its outcomes in view

A fact names its study. `double_use` says where the same patients would speak twice: in
two facts, or in a fact and in a prior. That is a warning, never an error.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations

from pydantic import BaseModel, ConfigDict

from imak_pkpd.evidence.facts import AbstractFact, Names

SHOWN = 4
"""Priors that a sentence names."""

UNSAID = (
    "Whether priors were set while looking at {facts} is not said ([study.NAME] "
    "informed): if so, that the model agrees is not evidence for the model."
)


class StudyBlock(BaseModel):
    """A publication; it needs to say `overlaps` in one of the two studies only."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    source: str = ""
    overlaps: Names = ()
    informed: Names = ()


Facts = Mapping[str, AbstractFact]
Studies = Mapping[str, StudyBlock]


def double_use(facts: Facts, studies: Studies) -> tuple[str, ...]:
    """Sentences on patients who would count twice, in the order of the file."""
    return (
        *_by_overlap(facts, studies),
        *_by_prior(facts, studies),
        *_unsaid(facts),
    )


def _by_overlap(facts: Facts, studies: Studies) -> Iterator[str]:
    """Pairs of studies that may share patients, both with facts in the file."""
    for one, other in combinations(studies, 2):
        if other in studies[one].overlaps or one in studies[other].overlaps:
            yield from _pair(facts, one, other)


def _pair(facts: Facts, one: str, other: str) -> Iterator[str]:
    """What two studies with common patients have in the fit, and what that means."""
    first, second = (_of(facts, study) for study in (one, other))
    if not first or not second:
        return
    who = f"{one} and {other} may have patients in common"
    twice = [_used(facts, first), _used(facts, second)]
    if all(twice):
        yield (
            f"{who}, who count twice: {_listed([*twice[0], *twice[1]])} are used as if "
            "independent; set use = false in one study's facts."
        )
        return
    out = [name for name in (*first, *second) if not facts[name].use]
    yield (
        f"{who}, who would count twice if facts of both were used: "
        f"{_listed(out)} {_is(out)} kept out."
    )


def _by_prior(facts: Facts, studies: Studies) -> Iterator[str]:
    """Studies that priors were set from; it does not matter whether they are used."""
    for name, study in studies.items():
        own = _of(facts, name)
        if own and study.informed:
            yield (
                f"Priors of {_some(study.informed)} were set while looking at {name}: "
                f"that the model agrees with {_listed(own)} is not evidence for the "
                "model."
            )


def _unsaid(facts: Facts) -> Iterator[str]:
    """Used facts without a study."""
    alone = [name for name, fact in facts.items() if fact.use and fact.study is None]
    if alone:
        yield UNSAID.format(facts=_listed(alone))


def _of(facts: Facts, study: str) -> list[str]:
    return [name for name, fact in facts.items() if fact.study == study]


def _used(facts: Facts, names: list[str]) -> list[str]:
    return [name for name in names if facts[name].use]


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _some(names: tuple[str, ...]) -> str:
    """All of a few names; the first of many, and how many more."""
    rest = len(names) - SHOWN
    return _listed([*names[:SHOWN], f"{rest} more"] if rest > 1 else names)


def _listed(names: list[str] | tuple[str, ...]) -> str:
    """a, b and c."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
