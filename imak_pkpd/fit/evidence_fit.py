"""`fit_evidence`: a fit file with published facts and no patients, to a run folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imak_pkpd.fit.evidence_store import evidence_tree
from imak_pkpd.fit.fit import overridden
from imak_pkpd.fit.problem import read_model
from imak_pkpd.fit.progress import Progress, Silent
from imak_pkpd.fit.record import new_record, now
from imak_pkpd.fit.run import POSTERIOR, create_run, recording, update_record
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.tree import write_tree
from imak_pkpd.fit.weighting import weigh
from imak_pkpd.model import AnyModel


def only_evidence(spec: FitSpec) -> bool:
    """Whether the fit has facts and no patients: weights instead of NUTS."""
    return spec.data is None and bool(spec.evidence)


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
            f"got {', '.join(of_chains)}, but {spec.path.name} has no patients and no "
            "chains: set prior_draws and refined_draws in [estimation]"
        )
    spec = overridden(spec, overrides or {})
    model = read_model(spec)
    record = new_record(
        spec.path,
        spec.model,
        None,
        spec.estimation.model_dump(),
        solver=spec.solver.model_dump(),
        based_on=spec.based_on,
        overrides=dict(overrides or {}),
        command=command,
    )
    return spec, model, create_run(record, runs, out)


def run_evidence(
    spec: FitSpec,
    model: type[AnyModel],
    folder: Path,
    progress: Progress | None = None,
) -> None:
    """Weighs prior draws and writes the posterior; a failure is noted and raised."""
    with recording(folder):
        found = weigh(spec, model, progress or Silent())
        write_tree(evidence_tree(spec, model, found), folder / POSTERIOR)
        update_record(folder, end=now(), status="finished")
