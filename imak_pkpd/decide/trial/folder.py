"""`write_trial`: a folder inside the run folder, whole or not at all.

`trial` has a CSV file for each table, `trial.json` with all of them, and `trial.svg`.
The same [trial] of the same run writes the same again; another one is written beside
it: `trial-2`, ...
"""

import json
import shutil
from pathlib import Path
from typing import Any

from imak_pkpd.decide.answer_folder import csv, whole_folder
from imak_pkpd.decide.trial.document import document, frames
from imak_pkpd.decide.trial.of_run import TrialOfRun
from imak_pkpd.fit.atomic import write_text

FOLDER = "trial"
DOCUMENT = "trial.json"
PICTURE = "trial.svg"


def write_trial(made: TrialOfRun, picture: str) -> Path:
    """The tables, the document and the picture; the folder they are in."""
    said = document(made)
    folder = _folder(made.run.folder, said["trial"])
    with whole_folder(folder) as inside:
        for name, frame in frames(made).items():
            write_text(inside / f"{name}.csv", csv(made.run, frame))
        write_text(inside / PICTURE, picture)
        write_text(inside / DOCUMENT, json.dumps(said, indent=1))
        shutil.rmtree(folder, ignore_errors=True)  # the same trial, written before
    return folder


def _folder(run: Path, trial: dict[str, Any]) -> Path:
    number = 1
    while True:
        folder = run / (FOLDER if number == 1 else f"{FOLDER}-{number}")
        known = folder / DOCUMENT
        if not folder.exists():
            return folder
        if known.exists() and _asked(known) == trial:
            return folder
        number += 1


def _asked(document: Path) -> Any:
    return json.loads(document.read_text(encoding="utf-8"))["trial"]
