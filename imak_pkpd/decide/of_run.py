"""The decision of a run folder, and what other runs would say of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imak_pkpd.decide.decision import DoseDecision, decide, decision_of, table_with
from imak_pkpd.decide.draws import shared_draws
from imak_pkpd.decide.seen import doses_seen
from imak_pkpd.decide.table import Row
from imak_pkpd.fit.agreement import check_fit
from imak_pkpd.fit.fit import overridden
from imak_pkpd.fit.problem import read_model, refuse
from imak_pkpd.fit.provenance import hash_file
from imak_pkpd.fit.run import POSTERIOR, read_record
from imak_pkpd.fit.spec import FitSpec, read_fit
from imak_pkpd.fit.tree import read_tree
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
    """The decision of a finished run, by the fit file as it is now."""
    spec, model = finished_fit(run)
    block = decision_of(spec)
    stage("reading the posterior")
    sites = shared_draws(run, spec, block.cohort)
    return decide(spec, model, sites, doses_seen(spec, block), stage)


def decide_elsewhere(
    decision: DoseDecision, runs: Sequence[Path], stage: Stage = lambda text: None
) -> list[Elsewhere]:
    """What each of these runs says of the same designs, and of the chosen one."""
    return [_elsewhere(decision, run, stage) for run in runs]


def _elsewhere(decision: DoseDecision, run: Path, stage: Stage) -> Elsewhere:
    spec, model = finished_fit(run)
    spec = spec.model_copy(update={"decision": decision.block})
    refuse(check_fit(spec, model))
    sites = shared_draws(run, spec, decision.block.cohort)
    ours = None if decision.chosen is None else decision.rows[decision.chosen]
    own, place = table_with(spec, model, sites, decision.seen, ours, stage)
    best = own.best()
    return Elsewhere(
        run,
        spec.problem,
        None if best is None else own.row(best),
        None if place is None else own.row(place),
    )


def finished_fit(run: Path) -> tuple[FitSpec, type[AbstractModel]]:
    """The fit file and model of a finished run.

    Raises a `ValueError` where the run did not finish, or where fit file or model are
    no longer those that were run ([decision] may be new).
    """
    record = read_record(run)
    if record.status != "finished":
        raise ValueError(f"{run} is {record.status}: `imak resume` it, or fit anew")
    spec = overridden(read_fit(record.fit.path), record.overrides)
    fitted = read_tree(run / POSTERIOR).attrs.get("fit_sha256")
    for what, same in (
        (spec.path, spec.sha256 == fitted),
        (spec.model, hash_file(spec.model) == record.model.sha256),
    ):
        if not same:
            raise ValueError(f"{run}: {what} changed since: restore it, or fit anew")
    model = read_model(spec)
    assert issubclass(model, AbstractModel)  # a cohort is solved in time: `check_fit`
    return spec, model
