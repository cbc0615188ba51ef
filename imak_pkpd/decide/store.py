"""The files of a decision, in the folder `dose` of its run."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imak_pkpd.decide.answer_folder import numbered_folder, whole_folder
from imak_pkpd.decide.decision import DoseDecision
from imak_pkpd.decide.document import dose_document, dose_frame, row_document
from imak_pkpd.decide.notice import NOTICE
from imak_pkpd.decide.of_run import Elsewhere
from imak_pkpd.fit.atomic import write_text

FOLDER = "dose"
DOCUMENT = "dose.json"
ANSWERS = f"{FOLDER}*/{DOCUMENT}"
TABLE = "doses.csv"


def write_decision(
    run: Path, decision: DoseDecision, elsewhere: Sequence[Elsewhere] = ()
) -> Path:
    """`dose.json` and `doses.csv`; the same choice of the same run writes the same.

    A choice that differs from the one on disk is written beside it: `dose-2`, ...
    """
    document = document_of(decision, elsewhere)
    asked = document["decision"]
    folder = numbered_folder(run, FOLDER, DOCUMENT, "decision", asked)
    text = dose_frame(decision).to_csv(index=False)
    with whole_folder(folder) as inside:
        write_text(inside / TABLE, f"# {NOTICE}\n{text}")
        write_text(inside / DOCUMENT, json.dumps(document, indent=1))
    return folder


def document_of(
    decision: DoseDecision, elsewhere: Sequence[Elsewhere]
) -> dict[str, Any]:
    """All of a decision, with what other runs say of it."""
    others = [
        {
            "run": str(each.run),
            "problem": each.problem,
            "best": None if each.best is None else row_document(each.best),
            "ours": None if each.ours is None else row_document(each.ours),
        }
        for each in elsewhere
    ]
    return {**dose_document(decision), "other_runs": others}
