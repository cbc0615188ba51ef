"""`write_forecasts`: a folder inside the run folder, whole or not at all.

`forecasts/<patient file>-<hash>/` has a CSV file for each table, `forecast.json` with
all of them, and `draws.nc`. The hash is of what was asked: the same question of the
same run has one answer, which is not written twice.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from imak_pkpd.decide.finished_run import FinishedRun
from imak_pkpd.decide.forecast import Forecasts
from imak_pkpd.decide.forecast_tables import tables
from imak_pkpd.decide.notice import NOTICE
from imak_pkpd.fit.atomic import write_text
from imak_pkpd.fit.provenance import hash_file, hash_text, versions
from imak_pkpd.fit.tree import Group, Variable, build_tree, write_tree

FORECASTS = "forecasts"
DIMS = ("chain", "draw", "subject")


def forecast_folder(run: FinishedRun, file: Path, *asked: object) -> Path:
    """Where the answer to a question is; a `ValueError` if it is there already."""
    if not file.is_file():
        raise ValueError(f"{file} is not a file: give the patient's records")
    question = repr((run.record.run, hash_file(file), *asked))
    name = f"{file.stem}-{hash_text(question)[:8]}"
    folder = run.folder / FORECASTS / name
    if folder.exists():
        raise ValueError(
            f"{folder} has this forecast already: read it there, or remove it first"
        )
    return folder


def write_forecasts(run: FinishedRun, made: Forecasts, folder: Path) -> None:
    """Fills a folder beside and moves it to its place."""
    folder.parent.mkdir(exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        for name, frame in tables(made).items():
            write_text(temporary / f"{name}.csv", csv(frame))
        text = json.dumps(document(run, made), indent=1)
        write_text(temporary / "forecast.json", text)
        write_tree(draws_tree(run, made), temporary / "draws.nc")
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def csv(frame: pd.DataFrame) -> str:
    """The table under a line that says what it is for."""
    return f"# {NOTICE}\n{frame.to_csv(index=False)}"


def document(run: FinishedRun, made: Forecasts) -> dict[str, Any]:
    """Everything but the draws as JSON values; what does not exist is null."""
    return {
        "use": NOTICE,
        **_provenance(run, made),
        **{
            name: json.loads(frame.to_json(orient="records", double_precision=15))
            for name, frame in tables(made).items()
        },
    }


def _provenance(run: FinishedRun, made: Forecasts) -> dict[str, Any]:
    first = made.patients[0].ahead.problem
    return {
        "run": run.record.run,
        "fit": str(run.spec.path),
        "run_complaint": run.complaint,
        "population_is_synthetic": run.synthetic,
        "patient_file": str(first.dataset.path),
        "patient_sha256": made.asked.sha256,
        "horizon": made.asked.horizon,
        "time_unit": first.model.time,
        "method_asked": made.method,
        "seed": made.seed,
        "versions": versions(),
    }


def draws_tree(run: FinishedRun, made: Forecasts) -> Any:
    """The groups `posterior` (parameters) and `estimand`, by draw and patient."""
    groups: dict[str, Group] = {
        "posterior": _stacked([dict(each.parameters) for each in made.patients]),
        "estimand": _stacked([dict(each.estimands) for each in made.patients]),
    }
    groups = {name: group for name, group in groups.items() if group}
    names = {"subject": [each.name for each in made.patients]}
    attributes = {"use": NOTICE, **_provenance(run, made)}
    return build_tree(groups, {group: names for group in groups}, attributes)


def _stacked(patients: list[dict[str, np.ndarray]]) -> dict[str, Variable]:
    return {
        name: Variable(DIMS, np.stack([each[name] for each in patients], -1)[None])
        for name in patients[0]
    }
