"""`fit`: from a fit file to a run folder with its posterior; `resume` continues one.

Each is two steps, for a caller who needs the folder of a run that fails: `begin` or
`begin_again`, then `run`.
The order: read and check, mesh and mode, NUTS, certificate (a mesh that fails it is
halved and the sampling repeated), predictions, `posterior.nc`.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from imak_pkpd.fit.certificate import Certificate, certify
from imak_pkpd.fit.checkpoint import Checkpoint, open_checkpoint
from imak_pkpd.fit.estimation import EstimationBlock
from imak_pkpd.fit.explain import explain_start, record_words
from imak_pkpd.fit.meshes import arrays_of_meshes, meshes_from_arrays, with_method
from imak_pkpd.fit.meshing import (
    DRAWS,
    Meshed,
    make_meshes,
    mesh_likelihood,
    needs_certificate,
    reference_likelihood,
)
from imak_pkpd.fit.posterior import effect_forms, population_model
from imak_pkpd.fit.problem import Problem, read_problem
from imak_pkpd.fit.progress import Progress, Silent
from imak_pkpd.fit.provenance import machine
from imak_pkpd.fit.record import DataSource, RunRecord, new_record, now
from imak_pkpd.fit.run import (
    CHECKPOINT,
    POSTERIOR,
    create_run,
    drop_checkpoint,
    read_record,
    recording,
    update_record,
)
from imak_pkpd.fit.sample import Draws, sample
from imak_pkpd.fit.sampler import plan_of
from imak_pkpd.fit.spec import FitSpec, read_fit
from imak_pkpd.fit.start import start_arrays, start_from
from imak_pkpd.fit.store import result_tree
from imak_pkpd.fit.target import target
from imak_pkpd.fit.tree import write_tree

REPEATS = 2  # samplings on finer meshes before the certificate is reported as failed


def fit(
    spec: FitSpec,
    runs: Path,
    out: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    command: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> Path:
    """The folder of a finished run: `run.json` and `posterior.nc`.

    `overrides` replace keys of [estimation] and are recorded. Raises a `ValueError`
    for whatever is wrong with fit file, model or data, before a folder is made.
    """
    problem, folder = begin(spec, runs, out, overrides, command)
    run(problem, folder, progress)
    return folder


def begin(
    spec: FitSpec,
    runs: Path,
    out: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    command: tuple[str, ...] = (),
) -> tuple[Problem, Path]:
    """What is fitted, and the new folder of its run, with `run.json` in it."""
    problem = read_problem(overridden(spec, overrides or {}))
    record = patient_record(problem, overrides or {}, command)
    return problem, create_run(record, runs, out)


def resume(folder: Path, progress: Progress | None = None, force: bool = False) -> Path:
    """The folder of a run that was interrupted, now finished: the same draws.

    Raises a `ValueError` when fit file, model or data changed since, when the
    checkpoint is damaged, or (without `force`) on another machine.
    """
    run(begin_again(folder), folder, progress, force)
    return folder


def begin_again(folder: Path) -> Problem:
    """What a run fits, read again; a `ValueError` if it is finished or changed."""
    record = read_record(folder)
    if record.status == "finished":
        raise ValueError(f"{folder} is finished: there is nothing to resume")
    spec = overridden(read_fit(record.fit.path), record.overrides)
    if plan_of(spec).sampler != "nuts":
        raise ValueError(
            f"{folder} has no chains to go on with: it is weighed or tempered in "
            "minutes, start anew with `imak fit`"
        )
    problem = read_problem(spec)
    _refuse_changes(record, problem, folder)
    return problem


def run(
    problem: Problem,
    folder: Path,
    progress: Progress | None = None,
    force: bool = False,
) -> None:
    """Samples and writes the posterior; a failure is noted in `run.json` and raised."""
    with recording(folder):
        _run(problem, folder, progress or Silent(), force)


def overridden(spec: FitSpec, overrides: Mapping[str, Any]) -> FitSpec:
    """The spec with some keys of [estimation] replaced."""
    given = {name: value for name, value in overrides.items() if value is not None}
    if not given:
        return spec
    block = EstimationBlock(**{**spec.estimation.model_dump(), **given})
    return spec.model_copy(update={"estimation": block})


def patient_record(
    problem: Problem, overrides: Mapping[str, Any], command: tuple[str, ...]
) -> RunRecord:
    """The record of a run that fits patients, as it starts."""
    spec, dataset = problem.spec, problem.dataset
    data = DataSource(
        path=str(dataset.path),
        sha256=dataset.sha256,
        rows=len(dataset.subject),
        subjects=len(set(dataset.subject)),
        exclusions=tuple(
            {"reason": reason, "rows": rows}
            for reason, rows in dataset.exclusions.items()
        ),
        findings=tuple(asdict(finding) for finding in dataset.findings),
    )
    return new_record(
        spec.path,
        spec.model,
        data,
        spec.estimation.model_dump(),
        solver=spec.solver.model_dump(),
        based_on=spec.based_on,
        overrides=dict(overrides),
        command=command,
    )


def _refuse_changes(record: RunRecord, problem: Problem, folder: Path) -> None:
    """A resumed run must be the same run."""
    again = patient_record(problem, record.overrides, record.command)
    pairs = (
        ("the fit file", record.fit.sha256, again.fit.sha256),
        ("the model", record.model.sha256, again.model.sha256),
        (
            "the data",
            record.data and record.data.sha256,
            again.data and again.data.sha256,
        ),
    )
    for what, before, after in pairs:
        if before != after:
            raise ValueError(
                f"{folder}: {what} changed since the run began: restore it, or start a "
                "new run with `imak fit`"
            )


def _run(problem: Problem, folder: Path, progress: Progress, force: bool) -> None:
    """Everything that needs a run folder; what is already there is not done again."""
    known = {
        "fit": problem.spec.sha256,
        "model": read_record(folder).model.sha256,
        "data": problem.dataset.sha256,
    }
    checkpoint = open_checkpoint(folder / CHECKPOINT, known, machine(), force)
    meshed = _meshed(problem, checkpoint, progress)
    settled = with_method(problem, meshed.method)
    for repeat in range(REPEATS + 1):
        draws = _sampled(settled, meshed, folder, repeat, known, progress, force)
        progress.stage("checking the solver")
        certificate = _certificate(settled, meshed, draws)
        if certificate is None or certificate.certified or repeat == REPEATS:
            break
        progress.stage("the mesh is too coarse: halving it and sampling again")
        meshed = meshed._replace(meshes=meshed.meshes.halved(settled))
    progress.stage("predicting and writing the posterior")
    tree = result_tree(problem, meshed, draws, certificate)
    write_tree(tree, folder / POSTERIOR)
    update_record(
        folder,
        choices=_choices(meshed, certificate),
        end=now(),
        status="finished",
    )
    drop_checkpoint(folder)


def _meshed(problem: Problem, checkpoint: Checkpoint, progress: Progress) -> Meshed:
    """Mesh, forms and start: those on disk, or new ones that are then on disk."""
    stored = checkpoint.read("mesh")
    if stored is None:
        progress.stage("placing the mesh and climbing to the mode")
        forms = effect_forms(problem.spec, problem.schedule)
        made = make_meshes(problem, forms, explain_start(problem, forms))
        checkpoint.write(
            "mesh",
            {
                "potentials": made.start.potentials,
                "forms": dict(made.forms),
                "solver": _solver(made),
            },
            {**start_arrays(made.start), **arrays_of_meshes(made.meshes)},
        )
        return made
    header, arrays = stored
    start = start_from(header, arrays)
    meshes = meshes_from_arrays(problem, arrays)
    return Meshed(meshes, header["forms"], start, None, **header["solver"])


def _sampled(
    problem: Problem,
    meshed: Meshed,
    folder: Path,
    repeat: int,
    known: Mapping[str, str],
    progress: Progress,
    force: bool,
) -> Draws:
    function = population_model(problem.spec, problem.model, meshed.forms)
    args = meshed.meshes.arguments(problem)
    return sample(
        target(function, args),
        args,
        problem.spec.estimation,
        folder / CHECKPOINT / f"sampling{repeat}",
        known,
        progress,
        start=meshed.start,
        force=force,
    )


def _certificate(problem: Problem, meshed: Meshed, draws: Draws) -> Certificate | None:
    """The solver's certificate on posterior draws; None without a mesh."""
    if not needs_certificate(problem):
        return None
    positions = draws.positions.reshape(-1, draws.positions.shape[-1])
    every = np.linspace(0, len(positions) - 1, min(DRAWS, len(positions))).astype(int)
    found = certify(
        mesh_likelihood(problem, meshed.forms, meshed.meshes),
        reference_likelihood(problem, meshed.forms, meshed.meshes),
        positions[every],
        draws.failures,
        problem.schedule.subjects,
    )
    return replace(found, worst=_worst(problem, found))


def _worst(problem: Problem, certificate: Certificate) -> str:
    """Whose error spreads most, and where, in words."""
    subject = certificate.worst_subject
    if subject == problem.schedule.subjects:
        return "the published facts"
    return record_words(problem, subject, certificate.worst_record)


def _solver(meshed: Meshed) -> dict[str, str]:
    """How the mesh is crossed, and why."""
    return {"method": meshed.method, "why": meshed.why}


def _choices(meshed: Meshed, certificate: Certificate | None) -> dict[str, Any]:
    """What was decided for this fit, for run.json."""
    meshes = meshed.meshes
    cohorts = {name: each.mesh.nodes for name, each in meshes.cohorts.items()}
    return {
        "forms": dict(meshed.forms),
        "solver": _solver(meshed),
        "nodes": None if meshes.patients is None else meshes.patients.nodes,
        **({"cohort_nodes": cohorts} if cohorts else {}),
        "certificate": None if certificate is None else certificate.to_dict(),
    }
