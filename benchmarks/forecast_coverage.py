"""Do forecasts from early samples hold? Synthetic patients of the core model.

    python3 -m uv run imak fit fits/100-imak-core.toml --out core
    python3 -m uv run python benchmarks/forecast_coverage.py core --out lines.jsonl
    python3 -m uv run python benchmarks/forecast_coverage.py core --out lines.jsonl \
        --summary

The new patients come from 20 populations, draws of the run's posterior: of such
patients intervals cover as they say, and chances are calibrated, if the forecast is
right. With `--truth cohort` all have the truth that the run was fitted to: then the
error of the fitted population is common to all of them. Of each patient the samples up
to day 1, 2 or 3 are shown to `forecast`, which says t_rej and whether the tumour is
below 1e9 cells at the horizon. One line of JSON per patient and day, so that a study
that was interrupted goes on where it was.
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

jax.config.update("jax_enable_x64", True)

from recovery import (  # noqa: E402
    LEVEL,
    RESPONSE,
    ROOT,
    STUDIES,
    Truth,
    append,
    coded,
    coverage,
    lines,
    reliability,
    simulated,
    true_estimands,
)

from imak_pkpd.decide.finished_run import FinishedRun, read_finished  # noqa: E402
from imak_pkpd.decide.forecast import Forecast, forecast_patient  # noqa: E402
from imak_pkpd.decide.new_patients import followed, new_patients  # noqa: E402
from imak_pkpd.estimand import ValueEstimand  # noqa: E402
from imak_pkpd.fit.cohort import read_cohort  # noqa: E402
from imak_pkpd.fit.spec import FitSpec  # noqa: E402

COHORT = ROOT / "fits/data/imak_core.toml"
HORIZON = 14.0  # days after the infusion, as far as the cohort is followed
DAYS = (1, 2, 3)
POPULATIONS = 20
NUMBER = 7  # of the first population: others than those that were fitted


class Study(NamedTuple):
    """All records of the new patients, and what really becomes of them."""

    run: FinishedRun
    records: pd.DataFrame
    truth: Mapping[str, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a finished run of 100-imak-core.toml")
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--truth", choices=("posterior", "cohort"), default="posterior")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--summary", action="store_true", help="of what is there")
    asked = parser.parse_args()
    if not asked.summary:
        with TemporaryDirectory() as folder:
            study = made_study(asked.run, asked.patients, asked.truth, Path(folder))
            for days in DAYS:
                forecast_all(study, days, asked.out, Path(folder))
    print(summary(list(lines(asked.out))))


def made_study(run: Path, patients: int, truth: str, folder: Path) -> Study:
    """Patients that the run has not seen, as many from every truth."""
    finished = read_finished(run)
    spec = finished.spec
    estimands = {
        "t_rej": spec.estimand["t_rej"],
        "end": ValueEstimand(kind="value", output="tumour"),
    }
    finished = finished._replace(spec=spec.model_copy(update={"estimand": estimands}))
    each = patients // POPULATIONS
    made = [
        patients_of(finished.spec, true, NUMBER + place, each, folder)
        for place, true in enumerate(true_populations(finished, truth))
    ]
    records = [
        text.assign(ID=pd.factorize(text["ID"])[0] + 1 + place * each)
        for place, (text, _) in enumerate(made)
    ]
    own = {name: np.concatenate([o[name] for _, o in made]) for name in made[0][1]}
    return Study(finished, pd.concat(records), own)


def true_populations(run: FinishedRun, truth: str) -> list[Truth]:
    """The truth of the cohort again and again, or draws of the run's own posterior."""
    names = read_cohort(COHORT)[0].truth
    if truth == "cohort":
        return [as_truth(names)] * POPULATIONS
    posterior = run.tree["posterior"]
    drawn = {name: np.asarray(posterior[name]).ravel() for name in names}
    size = len(next(iter(drawn.values())))
    places = np.random.default_rng(NUMBER).choice(size, POPULATIONS, replace=False)
    return [
        as_truth({n: float(v[place]) for n, v in drawn.items()}) for place in places
    ]


def as_truth(numbers: Mapping[str, float]) -> Truth:
    """Names of a cohort file as sites: all parameters are on the log scale."""
    moved = {
        f"theta_{name.removesuffix('_pop')}": np.log(value)
        for name, value in numbers.items()
        if name.endswith("_pop")
    }
    kept = {n: v for n, v in numbers.items() if not n.endswith("_pop")}
    shared = {name: jax.numpy.asarray(value) for name, value in (moved | kept).items()}
    return Truth(numbers, shared)


def patients_of(
    spec: FitSpec, truth: Truth, number: int, patients: int, folder: Path
) -> tuple[pd.DataFrame, Mapping[str, np.ndarray]]:
    """The records of one population's patients, and what really becomes of these."""
    problem = simulated(spec, STUDIES["core"], truth, number, folder, patients)
    # a course needs an end after the records
    ahead = followed(problem, HORIZON + 1e-6)
    text = pd.read_csv(problem.dataset.path, dtype=str)
    return text, true_estimands(ahead, truth, number)


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
    each = kept[0]["of"] // POPULATIONS
    groups: dict[int, list[bool]] = {}
    for line in kept:
        groups.setdefault((int(line["patient"]) - 1) // each, []).append(
            line["covered"]
        )
    yield f"  {coverage('t_rej', list(groups.values()))}"
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
