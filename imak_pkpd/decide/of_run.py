"""The decision of a run folder, and what other runs would say of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imak_pkpd.decide.decision import (
    DoseDecision,
    Part,
    Sites,
    decide,
    decision_of,
    parts_of,
    table_with,
)
from imak_pkpd.decide.designs import laid_out_spec
from imak_pkpd.decide.draws import cohort_draws
from imak_pkpd.decide.finished_run import FinishedRun, read_finished
from imak_pkpd.decide.restated import restated
from imak_pkpd.decide.seen import doses_seen
from imak_pkpd.decide.table import Row
from imak_pkpd.fit.problem import read_model
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.model import AbstractModel

Stage = Callable[[str], None]


@dataclass(frozen=True)
class Elsewhere:
    """The same choice by another run: its best design, and ours there.

    None where no design qualifies, there or here.
    """

    run: Path
    problem: str
    best: Row | None
    ours: Row | None


def decide_run(run: Path, stage: Stage = lambda text: None) -> DoseDecision:
    """The decision of a finished run, by the [decision] as it is now."""
    finished = read_finished(run)
    spec, block = finished.spec, decision_of(finished.spec)
    model = with_states(spec)
    sites = cohort_draws(finished, model, block.cohort)
    seen = doses_seen(spec, block.cohort, block.amount)
    return decide(spec, model, sites, seen, stage)


def decide_elsewhere(
    decision: DoseDecision, runs: Sequence[Path], stage: Stage = lambda text: None
) -> list[Elsewhere]:
    """What each of these runs says of the same designs, and of the chosen one."""
    return [_elsewhere(decision, read_finished(run), stage) for run in runs]


def _elsewhere(decision: DoseDecision, run: FinishedRun, stage: Stage) -> Elsewhere:
    spec = run.spec.model_copy(update={"decision": decision.block})
    model = with_states(spec)
    sites = cohort_draws(run, model, decision.block.cohort)
    stage(f"steps of the virtual patients under {run.folder}")
    parts = _at_draws(decision.parts, spec, model, sites)
    if parts is None:
        parts = list(parts_of(spec, decision.block, model, sites, stage))
    ours = None if decision.chosen is None else decision.rows[decision.chosen]
    own, place = table_with(decision.block, parts, decision.seen, ours, stage)
    best = own.best()
    return Elsewhere(
        run.folder,
        spec.problem,
        None if best is None else own.row(best),
        None if place is None else own.row(place),
    )


def _at_draws(
    parts: Sequence[Part], spec: FitSpec, model: type[AbstractModel], sites: Sites
) -> list[Part] | None:
    """What was solved, at draws of another fit; None where its patients are others."""
    found = []
    for part in parts:
        made = part.made
        own = laid_out_spec(spec, made.block, made.layout)
        here = restated(sites, own, made.cohort.spec, model, list(part.some[0].sites))
        if here is None:
            return None
        found.append(part.at(here))
    return found


def with_states(spec: FitSpec) -> type[AbstractModel]:
    """The model of a fit with a cohort, which is solved in time."""
    model = read_model(spec)
    assert issubclass(model, AbstractModel)  # `check_fit` refuses a cohort without
    return model
