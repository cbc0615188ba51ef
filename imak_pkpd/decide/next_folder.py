"""`write_next`: the folder `next_doses/<patient file>-<hash>` of a run.

`options.csv` has a row per patient and option, `next_dose.json` all that is said.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from imak_pkpd.decide.answer_folder import csv, whole_folder
from imak_pkpd.decide.document import design_range
from imak_pkpd.decide.finished_run import FinishedRun
from imak_pkpd.decide.next_dose import NextDose, NextDoses
from imak_pkpd.decide.notice import NOTICE
from imak_pkpd.decide.seen import doses_seen
from imak_pkpd.decide.table import outside
from imak_pkpd.fit.atomic import write_text
from imak_pkpd.fit.provenance import versions

NEXT_DOSES = "next_doses"


def write_next(run: FinishedRun, made: NextDoses, folder: Path) -> None:
    with whole_folder(folder) as inside:
        write_text(inside / "options.csv", csv(run, next_frame(made)))
        text = json.dumps(next_document(run, made), indent=1)
        write_text(inside / "next_dose.json", text)


def next_frame(made: NextDoses) -> pd.DataFrame:
    """One row per patient and option."""
    return pd.DataFrame([row for each in made.patients for row in _cells(each)])


def _cells(found: NextDose) -> Iterator[dict[str, Any]]:
    for place, row in enumerate(found.rows):
        yield {
            "patient": found.name,
            "option": row.option.words,
            "time": row.option.time,
            **{n: row.option.amounts.get(n, 0.0) for n in found.block.amount},
            "admissible": row.admissible,
            "broken": ", ".join(row.broken),
            "utility": row.utility,
            "gain": row.gain,
            "gain_se": row.gain_se,
            "p_best": row.best,
            "expected_loss": row.loss,
            **{f"limit {name}": value for name, value in row.limits.items()},
            **row.means,
            "unsolved": row.unsolved,
            "chosen": place == found.chosen,
            "as_good": place in found.as_good,
        }


def next_document(run: FinishedRun, made: NextDoses) -> dict[str, Any]:
    """Everything as JSON values; what does not exist is null."""
    rows = json.loads(next_frame(made).to_json(orient="records", double_precision=15))
    block = made.patients[0].block
    seen = doses_seen(run.spec, block.cohort, block.amount)
    return {
        "notice": NOTICE,
        "run": run.record.run,
        "run_complaint": run.complaint,
        "population_is_synthetic": run.synthetic,
        "patient_sha256": made.asked.sha256,
        "times": list(made.times),
        "horizon": made.asked.horizon,
        "seed": made.seed,
        "decision": block.model_dump(mode="json", exclude_none=True),
        "doses_seen": {name: design_range(ends) for name, ends in seen.items()},
        "sentences": [next_sentence(run, each) for each in made.patients],
        "sampling": {
            each.name: each.posterior.sampling.to_dict() for each in made.patients
        },
        "options": rows,
        "versions": versions(),
    }


def next_sentence(run: FinishedRun, found: NextDose) -> str:
    """What is recommended for a patient, and how sure it is."""
    if found.chosen is None:
        return f"patient {found.name}: no option qualifies"
    row = found.rows[found.chosen]
    said = (
        f"patient {found.name}: recommended: {row.option.words}; expected utility "
        f"{row.utility:.3g}, {row.gain:.2g} ± {row.gain_se:.1g} above no further dose; "
        f"best with probability {row.best:.2g}, expected loss {row.loss:.2g}"
    )
    others = [found.rows[i].option.words for i in found.as_good if i != found.chosen]
    if others:
        said += f"; as good within {found.block.margin:g}: {', '.join(others)}"
    seen = doses_seen(run.spec, found.block.cohort, found.block.amount)
    beyond = [n for n, x in row.option.amounts.items() if outside(x, seen.get(n))]
    return f"{said}; beyond the doses seen: {', '.join(beyond)}" if beyond else said
