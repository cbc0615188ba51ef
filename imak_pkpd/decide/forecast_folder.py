"""`write_forecasts`: the folder `forecasts/<patient file>-<hash>` of a run.

A CSV file for each table, `forecast.json` with all of them, and `draws.nc`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from imak_pkpd.decide.answer_folder import csv, whole_folder
from imak_pkpd.decide.finished_run import FinishedRun
from imak_pkpd.decide.forecast import Forecasts
from imak_pkpd.decide.forecast_tables import tables
from imak_pkpd.decide.notice import NOTICE
from imak_pkpd.fit.atomic import write_text
from imak_pkpd.fit.provenance import versions
from imak_pkpd.fit.tree import Group, Variable, build_tree, write_tree

FORECASTS = "forecasts"
DIMS = ("chain", "draw", "subject")


def write_forecasts(run: FinishedRun, made: Forecasts, folder: Path) -> None:
    with whole_folder(folder) as inside:
        for name, frame in tables(made).items():
            write_text(inside / f"{name}.csv", csv(run, frame))
        text = json.dumps(document(run, made), indent=1)
        write_text(inside / "forecast.json", text)
        write_tree(draws_tree(run, made), inside / "draws.nc")


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
