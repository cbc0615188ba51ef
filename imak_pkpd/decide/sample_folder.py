"""`write_sample_days`: the folder `sample_days/<of whom>-<hash>` of a run.

`reductions.csv`, `evsi.csv`, `sample_days.json` with both, and the picture.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from imak_pkpd.decide.answer_folder import answer_folder, csv, whole_folder
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
from imak_pkpd.fit.provenance import versions

FOLDER = "sample_days"
DOCUMENT = "sample_days.json"
ANSWERS = f"{FOLDER}/[!.]*/{DOCUMENT}"  # not what is being written
PICTURE = "sample_days.svg"


def sample_folder(run: FinishedRun, question: Question) -> Path:
    """Where the answer is; a `ValueError` if it is there already."""
    whom = "cohort" if run.spec.decision else "standard"
    if question.patient is not None:
        whom = question.patient.stem
    files = [each for each in (question.patient, question.assays) if each is not None]
    choice = run.spec.decision
    return answer_folder(run, FOLDER, whom, files, choice, *question[2:])


def write_sample_days(
    run: FinishedRun,
    made: SampleDays,
    said: Mapping[str, Any],
    picture: str,
    folder: Path,
) -> None:
    """The tables, the document `said` and the picture (an SVG document)."""
    with whole_folder(folder) as inside:
        for name, frame in _frames(made).items():
            write_text(inside / f"{name}.csv", csv(run, frame))
        write_text(inside / DOCUMENT, json.dumps(said, indent=1))
        write_text(inside / PICTURE, picture)


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
