"""A fit file with published facts that is weighed or tempered, to a run folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imak_pkpd.fit.evidence_store import evidence_tree
from imak_pkpd.fit.fit import overridden, patient_record
from imak_pkpd.fit.posterior import method_of
from imak_pkpd.fit.problem import read_model, read_problem
from imak_pkpd.fit.progress import Progress, Silent
from imak_pkpd.fit.record import RunRecord, new_record, now
from imak_pkpd.fit.records import Records, read_records
from imak_pkpd.fit.run import POSTERIOR, create_run, recording, update_record
from imak_pkpd.fit.sampler import plan_of
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.tree import write_tree
from imak_pkpd.fit.weighting import weigh
from imak_pkpd.model import AnyModel


def begin_evidence(
    spec: FitSpec,
    runs: Path,
    out: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    command: tuple[str, ...] = (),
) -> tuple[FitSpec, type[AnyModel], Path]:
    """The fit with its overrides, its model, and the new folder of its run."""
    of_chains = sorted({"chains", "warmup", "draws"} & set(overrides or {}))
    if of_chains:
        raise ValueError(
            f"got {', '.join(of_chains)}, but {spec.path.name} has no chains "
            f"({plan_of(spec).why}): set prior_draws and refined_draws in [estimation]"
        )
    spec = overridden(spec, overrides or {})
    model = read_model(spec)
    record = _record(spec, overrides or {}, command)
    return spec, model, create_run(record, runs, out)


def _record(
    spec: FitSpec, overrides: Mapping[str, Any], command: tuple[str, ...]
) -> RunRecord:
    if spec.data is not None:
        return patient_record(read_problem(spec), overrides, command)
    return new_record(
        spec.path,
        spec.model,
        None,
        spec.estimation.model_dump(),
        solver=spec.solver.model_dump(),
        based_on=spec.based_on,
        overrides=dict(overrides),
        command=command,
    )


def run_evidence(
    spec: FitSpec,
    model: type[AnyModel],
    folder: Path,
    progress: Progress | None = None,
) -> None:
    """Weighs or tempers and writes the posterior; a failure is noted and raised."""
    with recording(folder):
        records = None if spec.data is None else read_records(read_problem(spec))
        found = weigh(spec, model, progress or Silent(), records)
        tree = evidence_tree(spec, model, found, records)
        write_tree(tree, folder / POSTERIOR)
        choices = {} if records is None else {"solver": _solver(records)}
        update_record(folder, choices=choices, end=now(), status="finished")


def _solver(records: Records) -> dict[str, str]:
    """How the mesh of the records is crossed, and why."""
    made = records.problem
    return {"method": method_of(made.spec, made.model), "why": records.why}
