"""`write_trial`: a folder inside the run folder, whole or not at all.

`trial` has a CSV file for each table, `trial.json` with all of them, and `trial.svg`.
The same [trial] of the same run writes the same again; another one is written beside
it: `trial-2`, ...
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imak_pkpd.decide.answer_folder import csv, numbered_folder, whole_folder
from imak_pkpd.decide.trial.document import frames
from imak_pkpd.decide.trial.of_run import TrialOfRun
from imak_pkpd.fit.atomic import write_text

FOLDER = "trial"
DOCUMENT = "trial.json"
ANSWERS = f"{FOLDER}*/{DOCUMENT}"
PICTURE = "trial.svg"


def write_trial(made: TrialOfRun, said: Mapping[str, Any], picture: str) -> Path:
    """The tables, the document `said` and the picture (an SVG document).

    The folder that they are in is returned.
    """
    asked = said["trial"]
    folder = numbered_folder(made.run.folder, FOLDER, DOCUMENT, "trial", asked)
    with whole_folder(folder) as inside:
        for name, frame in frames(made).items():
            write_text(inside / f"{name}.csv", csv(made.run, frame))
        write_text(inside / PICTURE, picture)
        write_text(inside / DOCUMENT, json.dumps(said, indent=1))
    return folder
