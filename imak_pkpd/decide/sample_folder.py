"""`write_sample_days`: a folder inside the run folder, whole or not at all.

`sample_days/<of whom>-<hash>/` has `reductions.csv`, `evsi.csv`, `sample_days.json`
with both, and the picture. The hash is of what was asked: the same question of the same
run has one answer, which is not written twice.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from imak_pkpd.decide.finished_run import FinishedRun
from imak_pkpd.decide.notice import NOTICE
from imak_pkpd.decide.sample_days import Question, SampleDays
from imak_pkpd.decide.sample_tables import (
    MEANING,
    gained_frame,
    narrowed_frame,
    sentences,
)
from imak_pkpd.decide.sample_worth import Estimate
from imak_pkpd.fit.atomic import write_text
from imak_pkpd.fit.provenance import hash_file, hash_text, versions

FOLDER = "sample_days"
DOCUMENT = "sample_days.json"
PICTURE = "sample_days.svg"
SYNTHETIC = "The population was fitted to SYNTHETIC patients."


def sample_folder(run: FinishedRun, question: Question) -> Path:
    """Where the answer to a question is; a `ValueError` if it is there already."""
    files = [question.patient, question.assays]
    for file in files:
        if file is not None and not file.is_file():
            raise ValueError(f"{file} is not a file: give one that is there")
    hashes = [None if file is None else hash_file(file) for file in files]
    asked = (run.record.run, hashes, run.spec.decision, *question[2:])
    whom = "cohort" if run.spec.decision else "standard"
    stem = whom if question.patient is None else question.patient.stem
    folder = run.folder / FOLDER / f"{stem}-{hash_text(repr(asked))[:8]}"
    if folder.exists():
        raise ValueError(
            f"{folder} has this answer already: read it there, or remove it first"
        )
    return folder


def write_sample_days(
    run: FinishedRun, made: SampleDays, picture: str, folder: Path
) -> None:
    """Fills a folder beside and moves it to its place; `picture` is an SVG document."""
    folder.parent.mkdir(exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    head = f"{NOTICE} {SYNTHETIC}" if run.synthetic else NOTICE
    try:
        for name, frame in _frames(made).items():
            text = f"# {head}\n{frame.to_csv(index=False)}"
            write_text(temporary / f"{name}.csv", text)
        write_text(temporary / DOCUMENT, json.dumps(document(run, made), indent=1))
        write_text(temporary / PICTURE, picture)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _frames(made: SampleDays) -> dict[str, pd.DataFrame]:
    return {"reductions": narrowed_frame(made), "evsi": gained_frame(made)}


def document(run: FinishedRun, made: SampleDays) -> dict[str, Any]:
    """All of the answer as JSON values; what does not exist is null."""
    return {
        "notice": NOTICE,
        **_provenance(run, made),
        "who": made.who,
        "meaning": MEANING,
        "definitions": {each.name: each.definition for each in made.quantities},
        "sentences": list(sentences(made)),
        "evpi": _estimate(made.evpi),
        "patients": made.patients,
        "unsolved": made.unsolved,
        "effective_draws": made.effective,
        "complaint": made.complaint,
        **{
            name: json.loads(frame.to_json(orient="records", double_precision=15))
            for name, frame in _frames(made).items()
        },
    }


def _provenance(run: FinishedRun, made: SampleDays) -> dict[str, Any]:
    asked = made.question
    return {
        "run": run.record.run,
        "fit": str(run.spec.path),
        "run_complaint": run.complaint,
        "population_is_synthetic": run.synthetic,
        "patient_file": None if asked.patient is None else str(asked.patient),
        "assay_file": None if asked.assays is None else str(asked.assays),
        "assays": {
            name: block.model_dump(mode="json", exclude_none=True)
            for name, block in made.assays.spec.output.items()
        },
        "limits": {
            name: [_finite(low), _finite(high)]
            for name, (low, high) in made.assays.limits.items()
        },
        "days": list(made.assays.days),
        "time_unit": made.unit,
        "seed": asked.seed,
        "versions": versions(),
    }


def _finite(limit: float) -> float | None:
    return limit if abs(limit) < float("inf") else None


def _estimate(each: Estimate | None) -> dict[str, float] | None:
    return None if each is None else each._asdict()
