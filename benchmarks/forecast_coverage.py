"""Do forecasts from early samples hold? Synthetic patients of the core model.

    python3 -m uv run imak fit fits/100-imak-core.toml --out core
    python3 -m uv run python benchmarks/forecast_coverage.py core --out lines.jsonl
    python3 -m uv run python benchmarks/forecast_coverage.py core --out lines.jsonl \
        --summary

New patients from the truth of the cohort that the run was fitted to; of each the
samples up to day 1, 2 or 3 are shown to `forecast`, which says t_rej and whether the
tumour is below 1e9 cells at the horizon. One line of JSON per patient and day, so that
a study that was interrupted goes on where it was.
"""

import argparse
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd
from scipy.stats import binomtest

jax.config.update("jax_enable_x64", True)

from recovery import (  # noqa: E402
    LEVEL,
    RESPONSE,
    ROOT,
    Truth,
    append,
    coded,
    lines,
    reliability,
    true_estimands,
)

from imak_pkpd.decide.finished_run import FinishedRun, read_finished  # noqa: E402
from imak_pkpd.decide.forecast import Forecast, forecast_patient  # noqa: E402
from imak_pkpd.decide.new_patients import followed, new_patients  # noqa: E402
from imak_pkpd.estimand import ValueEstimand  # noqa: E402
from imak_pkpd.fit.cohort import read_cohort  # noqa: E402
from imak_pkpd.fit.problem import read_problem  # noqa: E402
from imak_pkpd.fit.synthesis import simulate_cohort  # noqa: E402

COHORT = ROOT / "fits/data/imak_core.toml"
HORIZON = 14.0  # days after the infusion, as far as the cohort is followed
DAYS = (1, 2, 3)
NUMBER = 7  # of the cohort: others than those that were fitted


class Study(NamedTuple):
    """All records of the new patients, and what really becomes of them."""

    run: FinishedRun
    records: pd.DataFrame
    truth: Mapping[str, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a finished run of 100-imak-core.toml")
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--summary", action="store_true", help="of what is there")
    asked = parser.parse_args()
    if not asked.summary:
        with TemporaryDirectory() as folder:
            study = made_study(asked.run, asked.patients, Path(folder))
            for days in DAYS:
                forecast_all(study, days, asked.out, Path(folder))
    print(summary(list(lines(asked.out))))


def made_study(run: Path, patients: int, folder: Path) -> Study:
    """Patients that the run has not seen, from the truth it was fitted to."""
    finished = read_finished(run)
    spec = finished.spec
    estimands = {
        "t_rej": spec.estimand["t_rej"],
        "end": ValueEstimand(kind="value", output="tumour"),
    }
    spec = spec.model_copy(update={"estimand": estimands})
    file = folder / "all.csv"
    file.write_text(simulate_cohort(spec, COHORT, NUMBER, patients))
    assert spec.data is not None
    data = spec.data.model_copy(update={"file": file})
    # the schedule as it was simulated: true patients are drawn for it
    problem = read_problem(spec.model_copy(update={"data": data}))
    ahead = followed(problem, HORIZON + 1e-6)  # a course needs an end after the records
    own = true_estimands(ahead, shared_truth(), NUMBER)
    text = pd.read_csv(file, dtype=str)
    return Study(finished._replace(spec=spec), text, own)


def shared_truth() -> Truth:
    """The cohort file's [truth] as sites: all parameters are on the log scale."""
    numbers = read_cohort(COHORT)[0].truth
    moved = {
        f"theta_{name.removesuffix('_pop')}": np.log(value)
        for name, value in numbers.items()
        if name.endswith("_pop")
    }
    kept = {n: v for n, v in numbers.items() if not n.endswith("_pop")}
    shared = {name: jax.numpy.asarray(value) for name, value in (moved | kept).items()}
    return Truth(numbers, shared)


def forecast_all(study: Study, days: int, out: Path, folder: Path) -> None:
    """One line per patient whose samples up to a day are shown."""
    file = folder / f"days{days}.csv"
    seen = study.records["TIME"].astype(float) <= days
    study.records[seen].to_csv(file, index=False)
    asked = new_patients(study.run, file, HORIZON)
    size = len(asked.patients)  # a cohort of another size has other patients
    done = {(line["days"], line["of"], line["patient"]) for line in lines(out)}
    for place, patient in enumerate(asked.patients):
        if (days, size, patient.name) in done:
            continue
        start = time.process_time()
        try:
            found = compared(
                forecast_patient(patient, asked.population),
                {name: values[place] for name, values in study.truth.items()},
            )
        except ValueError as problem:  # samples that no draw explains
            found = {"failed": str(problem)}
        cpu = time.process_time() - start
        known = {"days": days, "of": size, "patient": patient.name, "cpu_s": cpu}
        append(out, {**known, **found})


def compared(made: Forecast, true: Mapping[str, Any]) -> dict[str, Any]:
    """Interval and chance beside what really happened."""
    drawn = np.sort(coded(made.estimands["t_rej"], made.estimands["t_rej_outcome"]))
    low, high = (
        drawn[round(q * (len(drawn) - 1))] for q in ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    )
    became = float(coded(true["t_rej"], true["t_rej_outcome"]))
    said = made.posterior.sampling
    return {
        "t_rej": became if np.isfinite(became) else None,
        "covered": bool(low <= became <= high),
        "width": float(high - low) if np.isfinite([low, high]).all() else None,
        "response": [
            float(np.mean(made.estimands["end"] < RESPONSE)),
            bool(true["end"] < RESPONSE),
        ],
        "method": said.method,
        "k_hat": said.k_hat if np.isfinite(said.k_hat) else None,
        "ess": said.ess,
        "failed_solves": said.failed_solves,
        "reliable": said.reliable,
    }


def summary(done: list[dict[str, Any]]) -> str:
    """All figures of a study, as text."""
    return "\n".join(said for days in DAYS for said in of_days(days, done))


def of_days(days: int, done: list[dict[str, Any]]) -> Iterator[str]:
    """Coverage, sharpness, reliability and effort with samples up to a day."""
    here = [line for line in done if line["days"] == days]
    kept = [line for line in here if "failed" not in line]
    if not kept:
        return
    lost = len(here) - len(kept)
    yield f"samples up to day {days}: {len(here)} patients, {lost} failed"
    hits = sum(line["covered"] for line in kept)
    low, high = binomtest(hits, len(kept)).proportion_ci(0.95)
    yield (
        f"  t_rej: {LEVEL:.0%} intervals cover {hits / len(kept):.1%} "
        f"({low:.1%} to {high:.1%})"
    )
    widths = [np.inf if line["width"] is None else line["width"] for line in kept]
    yield f"  t_rej: median width of the {LEVEL:.0%} interval {np.median(widths):.3g} d"
    yield from (f"  {said}" for said in reliability([x["response"] for x in kept]))
    weighed = sum(line["method"] == "importance" for line in kept)
    yield (
        f"  {weighed} weighed, {len(kept) - weighed} tempered, "
        f"{sum(not line['reliable'] for line in kept)} not reliable; "
        f"{sum(line['failed_solves'] for line in kept)} failed solves; median ESS "
        f"{np.median([line['ess'] for line in kept]):.0f}; "
        f"{np.mean([line['cpu_s'] for line in kept]):.1f} CPU-s a patient"
    )


if __name__ == "__main__":
    main()
