"""`simulate_trials`: so many trials at every draw of the posterior, arm by arm.

Every trial has patients of its own, and so has every arm (a parallel trial). The
numbers of an arm hang on its name, not on its place or on the other arms. What an arm
truly does at a draw is computed on quasi-random patients who are the same in all arms.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from zlib import crc32

import numpy as np
from jaxtyping import Float

from imak_pkpd.choice import TrialBlock
from imak_pkpd.decide.draws import thinned
from imak_pkpd.decide.trial.arms import Arm, Values, exactly, placed_arms
from imak_pkpd.decide.trial.comparison import Sample
from imak_pkpd.decide.trial.endpoint import Endpoint, Seen
from imak_pkpd.decide.trial.losses import Mortality, losses, mortality
from imak_pkpd.evidence import VirtualPatients, drawn_patients, virtual_patients
from imak_pkpd.fit.arm import Kind, kind_of, seen_at
from imak_pkpd.fit.over_draws import LANES
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.weighting import REFERENCE
from imak_pkpd.model import AbstractModel
from imak_pkpd.solve.cores import on_all_cores

CHECKED = 4  # draws that are solved by the reference too
TWIN = "the same again: "  # before the name of an arm that is held to itself

Sites = Mapping[str, np.ndarray]
Stage = Callable[[str], None]


class InTrials(NamedTuple):
    """One endpoint of one arm, axes [draw, trial, patient]; shares by draw."""

    sample: Sample
    dropped: Float[np.ndarray, " draw"]
    died: Float[np.ndarray, " draw"]


@dataclass(frozen=True)
class Trials:
    """All trials.

    `found` and `expected` by endpoint and arm; of an endpoint that is held to an arm,
    `twin` is that arm with other patients. `unsolved` is a share of patients by arm,
    `error` the largest error of a mean by the solver.
    """

    block: TrialBlock
    endpoints: Mapping[str, Mapping[str, Endpoint]]
    found: Mapping[str, Mapping[str, InTrials]]
    twin: Mapping[str, InTrials]
    expected: Mapping[str, Mapping[str, Float[np.ndarray, " draw"]]]
    unsolved: Mapping[str, float]
    error: float


class _Piece(NamedTuple):
    """Trials at one draw that are solved together."""

    draw: int
    trials: range


class _InArm(NamedTuple):
    """What is needed to make patients of one arm out of solved ones."""

    arm: Arm
    block: TrialBlock
    endpoints: Mapping[str, Endpoint]

    def deaths(self, values: Values) -> Mortality:
        death, start = self.block.death, 0.0
        if death is not None and death.of is not None:
            counted = self.arm.cohort.spec.estimand[death.of]
            design = self.arm.design
            start = design.last_dose(counted.dose) - design.begin
        return mortality(death, values, start, len(values["failed"]))


def simulate_trials(
    spec: FitSpec,
    trial: TrialBlock,
    model: type[AbstractModel],
    sites: Sites,
    stage: Stage = lambda text: None,
) -> Trials:
    """Trials at draws of what patients share, sites [draw, ...]."""
    drawn = thinned(sites, trial.draws)
    stage("placing the steps of the arms")
    arms = {arm.name: arm for arm in placed_arms(spec, trial, model, sites)}
    ends = endpoints_of(spec, trial, arms)
    inside = {name: _InArm(arm, trial, ends[name]) for name, arm in arms.items()}
    found = {n: _trials(each, n, drawn, stage) for n, each in inside.items()}
    controls = {e: trial.against(e) for e in trial.endpoint}
    twins = {
        name: _trials(inside[name], TWIN + name, drawn, stage)[0]
        for name in dict.fromkeys(controls.values())
        if isinstance(name, str)
    }
    stage("what the arms truly do")
    expected = {name: _expected(each, drawn) for name, each in inside.items()}
    stage("checking the solver")
    few = {name: value[:CHECKED] for name, value in drawn.items()}
    return Trials(
        trial,
        {e: {a: inside[a].endpoints[e] for a in arms} for e in trial.endpoint},
        {e: {a: found[a][0][e] for a in arms} for e in trial.endpoint},
        {e: twins[c][e] for e, c in controls.items() if isinstance(c, str)},
        {e: {a: expected[a][e] for a in arms} for e in trial.endpoint},
        {a: found[a][1] for a in arms},
        max(_solver_error(inside[a], few, expected[a]) for a in arms),
    )


def endpoints_of(
    spec: FitSpec, trial: TrialBlock, arms: Mapping[str, Arm]
) -> dict[str, dict[str, Endpoint]]:
    """The endpoints by arm, whose doses say when they count.

    Times are followed in all arms for as long as in the shortest.
    """
    made = {name: _endpoints(spec, trial, arm) for name, arm in arms.items()}
    for endpoint in trial.endpoint:
        shortest = min(each[endpoint].at for each in made.values())
        for each in made.values():
            if each[endpoint].kind is Kind.time:
                each[endpoint] = replace(each[endpoint], at=shortest)
    return made


def _endpoints(spec: FitSpec, trial: TrialBlock, arm: Arm) -> dict[str, Endpoint]:
    made = {}
    for name, block in trial.endpoint.items():
        estimand, design = spec.estimand[block.of], arm.design
        start = design.last_dose(estimand.dose) - design.begin
        at = seen_at(design, estimand, block)
        made[name] = Endpoint(block, kind_of(estimand, block), start, at)
    return made


def _trials(
    inside: _InArm, stream: str, drawn: Sites, stage: Stage
) -> tuple[dict[str, InTrials], float]:
    """All trials of an arm, and the share of patients who could not be solved."""
    trial, size = inside.block, inside.block.size_of(inside.arm.name)
    pieces = _pieces(trial, size)
    done = 0

    def one(piece: _Piece) -> tuple[dict[str, Seen], float]:
        nonlocal done
        at = {name: value[piece.draw] for name, value in drawn.items()}
        made = [
            _seen_by(inside, _generator(trial.seed, stream, piece.draw, number), size)
            for number in piece.trials
        ]
        who = _together([each for each, _ in made])
        values = inside.arm.values(at, who)
        parts = [
            _outcomes(inside, _part(values, place, size), rng)
            for place, (_, rng) in enumerate(made)
        ]
        done += 1
        stage(f"trials of {stream}: {10 * (10 * done // len(pieces))} %")
        seen = {n: _stacked([p[n] for p in parts]) for n in inside.endpoints}
        return seen, float(np.mean(values["failed"]))

    found = on_all_cores(one, pieces)
    made = {
        name: _in_trials([seen[name] for seen, _ in found], trial.draws)
        for name in inside.endpoints
    }
    return made, float(np.mean([failed for _, failed in found]))


def _pieces(trial: TrialBlock, size: int) -> list[_Piece]:
    """Equal parts of the trials at a draw, of as many patients as a program likes."""
    parts = [d for d in range(1, trial.repeats + 1) if trial.repeats % d == 0]
    together = max(d for d in parts if d == 1 or d * size <= LANES)
    firsts = range(0, trial.repeats, together)
    return [
        _Piece(draw, range(first, first + together))
        for draw in range(trial.draws)
        for first in firsts
    ]


def _generator(seed: int, stream: str, draw: int, number: int) -> np.random.Generator:
    return np.random.default_rng([seed, crc32(stream.encode()), draw, number])


def _seen_by(
    inside: _InArm, rng: np.random.Generator, size: int
) -> tuple[VirtualPatients, np.random.Generator]:
    """The patients of one trial, and the generator for what becomes of them."""
    arm = inside.arm
    return drawn_patients(arm.design, arm.effects, size, rng), rng


def _together(parts: Sequence[VirtualPatients]) -> VirtualPatients:
    """The patients of several trials in a row."""
    first = parts[0]
    return VirtualPatients(
        np.concatenate([each.normals for each in parts]),
        {n: np.concatenate([each.columns[n] for each in parts]) for n in first.columns},
        {n: np.concatenate([each.amounts[n] for each in parts]) for n in first.amounts},
    )


def _part(values: Values, place: int, size: int) -> Values:
    rows = slice(place * size, (place + 1) * size)
    return {name: value[rows] for name, value in values.items()}


def _outcomes(
    inside: _InArm, values: Values, rng: np.random.Generator
) -> dict[str, Seen]:
    """Every endpoint of the patients of one trial."""
    gone = losses(inside.block.dropout, inside.deaths(values), rng)
    return {
        name: each.seen(values, gone, rng.random(len(values["failed"])))
        for name, each in inside.endpoints.items()
    }


def _stacked(parts: Sequence[Seen]) -> Seen:
    return Seen(*(np.stack(each) for each in zip(*parts, strict=True)))


def _in_trials(parts: Sequence[Seen], draws: int) -> InTrials:
    value, event, dropped, died = (
        np.concatenate(each).reshape(draws, -1, each[0].shape[-1])
        for each in zip(*parts, strict=True)
    )
    shares = (np.mean(each, axis=(1, 2)) for each in (dropped, died))
    return InTrials(Sample(value, event), *shares)


def _expected(inside: _InArm, drawn: Sites) -> dict[str, Float[np.ndarray, " draw"]]:
    """What the arm does at every draw, by endpoint."""
    arm, block = inside.arm, inside.block
    who = virtual_patients(arm.design, arm.effects, block.patients, block.seed)
    count = len(next(iter(drawn.values())))

    def one(draw: int) -> list[float]:
        values = arm.values({n: v[draw] for n, v in drawn.items()}, who)
        deaths = inside.deaths(values)
        return [each.expected(values, deaths) for each in inside.endpoints.values()]

    found = np.asarray(on_all_cores(one, range(count)))
    return dict(zip(inside.endpoints, found.T, strict=True))


def _solver_error(
    inside: _InArm, few: Sites, found: Mapping[str, Float[np.ndarray, " draw"]]
) -> float:
    """The largest difference of a mean from the reference's, at some draws."""
    cohort = exactly(inside.arm.cohort, REFERENCE)
    exact = _expected(inside._replace(arm=replace(inside.arm, cohort=cohort)), few)
    away = [np.abs(exact[name] - found[name][: len(exact[name])]) for name in exact]
    known = np.concatenate(away)
    known = known[~np.isnan(known)]  # a draw at which nobody is solved
    return float(np.max(known)) if known.size else np.nan
