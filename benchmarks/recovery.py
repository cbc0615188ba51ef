"""Is the truth recovered? Synthetic cohorts with a truth from the prior, fitted.

    python3 -m uv run python benchmarks/recovery.py core --cohorts 20 --out core.jsonl
    python3 -m uv run python benchmarks/recovery.py core --out core.jsonl --summary

One line of JSON per cohort, so that a study that was interrupted goes on where it was.
A cohort that cannot be simulated or fitted is a line too, with its reason.
"""

import argparse
import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr
from numpyro.handlers import seed, trace

jax.config.update("jax_enable_x64", True)

from imak_pkpd.check.convergence import diagnose  # noqa: E402
from imak_pkpd.estimand import CrossingEstimand, ValueEstimand  # noqa: E402
from imak_pkpd.fit.estimates import estimand_group  # noqa: E402
from imak_pkpd.fit.estimation import EstimationBlock  # noqa: E402
from imak_pkpd.fit.fit import fit  # noqa: E402
from imak_pkpd.fit.meshes import event_mesh  # noqa: E402
from imak_pkpd.fit.posterior import effect_forms  # noqa: E402
from imak_pkpd.fit.problem import Problem, read_problem  # noqa: E402
from imak_pkpd.fit.run import POSTERIOR  # noqa: E402
from imak_pkpd.fit.simulate import Simulator  # noqa: E402
from imak_pkpd.fit.sites import sample_sites  # noqa: E402
from imak_pkpd.fit.spec import FitSpec, read_fit  # noqa: E402
from imak_pkpd.fit.synthesis import simulate_cohort  # noqa: E402
from imak_pkpd.fit.tree import read_tree  # noqa: E402

ROOT = Path(__file__).parents[1]
LEVEL = 0.9
RESPONSE = 1e9  # cells: a tumour below it is called a response
SHORT = EstimationBlock(chains=2, warmup=200, draws=300, target_accept=0.9)
BOOTSTRAPS = 2000


class Study(NamedTuple):
    """A shipped fit of synthetic patients, and its cohort file."""

    fit: str
    cohort: str


STUDIES = {
    "core": Study("100-imak-core", "imak_core"),
    "full": Study("110-imak-full", "imak_full"),
}
# Estimands that the shipped fits have in another form, or not at all.
ESTIMANDS = {
    "core": {"end": ValueEstimand(kind="value", output="tumour")},
    "full": {"end": ValueEstimand(kind="value", output="tumour", dose="cells")},
}


class Truth(NamedTuple):
    """Numbers by the names of a cohort file, and the sites that all patients share."""

    numbers: Mapping[str, float]
    shared: Mapping[str, jax.Array]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--cohorts", type=int, default=20, help="number of the last")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--summary", action="store_true", help="of what is there")
    asked = parser.parse_args()
    if not asked.summary:
        for number in range(asked.first, asked.cohorts + 1):
            if number not in {line["cohort"] for line in lines(asked.out)}:
                append(asked.out, one_cohort(asked.study, number))
    print(summary(list(lines(asked.out))))


def lines(out: Path) -> Iterator[dict[str, Any]]:
    """The cohorts that are done."""
    if out.exists():
        yield from map(json.loads, out.read_text().splitlines())


def append(out: Path, line: Mapping[str, Any]) -> None:
    with out.open("a") as file:
        file.write(json.dumps(line) + "\n")


def one_cohort(study: str, number: int) -> dict[str, Any]:
    """Draws a truth, simulates its patients, fits them, compares."""
    start = time.process_time()
    with TemporaryDirectory() as folder:
        try:
            found = recovered(study, number, Path(folder))
        except ValueError as problem:  # a patient or a fit that cannot be solved
            found = {"failed": str(problem)}
    cpu = time.process_time() - start
    return {"cohort": number, "cpu_s": cpu, **found}


def recovered(study: str, number: int, folder: Path) -> dict[str, Any]:
    """The comparison of one cohort."""
    spec = study_spec(study)
    truth = drawn_truth(read_problem(spec), number)
    problem = simulated(spec, STUDIES[study], truth, number, folder)
    run = fit(problem.spec, folder / "runs")
    tree = read_tree(run / POSTERIOR)
    own = true_estimands(problem, truth, number)
    return {
        **quality(tree),
        "population": {n: placed(tree, n, x) for n, x in truth.numbers.items()},
        "crossings": [
            *crossings(problem.spec, tree, own),
        ],
        "responses": responses(tree, own),
    }


def study_spec(study: str) -> FitSpec:
    spec = read_fit(ROOT / f"fits/{STUDIES[study].fit}.toml")
    crossing = {
        name: block
        for name, block in spec.estimand.items()
        if isinstance(block, CrossingEstimand)
    }
    changed = {"estimand": {**crossing, **ESTIMANDS[study]}, "estimation": SHORT}
    return spec.model_copy(update=changed)


def drawn_truth(problem: Problem, number: int) -> Truth:
    """One draw of the prior."""
    forms = effect_forms(problem.spec, problem.schedule)
    drawn = trace(seed(sample_sites, jax.random.key(number))).get_trace(
        problem.spec, problem.model, forms, problem.schedule
    )
    simulator = Simulator(problem.spec, problem.model, forms)
    shared = {n: drawn[n]["value"] for n in simulator.shared(problem.schedule)}
    names = [f"{n.removeprefix('theta_')}_pop" if "theta_" in n else n for n in shared]
    return Truth({name: float(drawn[name]["value"]) for name in names}, shared)


def simulated(
    spec: FitSpec,
    study: Study,
    truth: Truth,
    number: int,
    folder: Path,
    patients: int | None = None,
) -> Problem:
    """The fit of patients made from a truth: a cohort file with another [truth]."""
    shipped = (ROOT / f"fits/data/{study.cohort}.toml").read_text()
    head = re.split(r"^\[truth\]", shipped, flags=re.MULTILINE)[0]
    said = "\n".join(f"{name} = {value!r}" for name, value in truth.numbers.items())
    cohort, file = folder / "cohort.toml", folder / "patients.csv"
    cohort.write_text(f"{head}[truth]\n{said}\n")
    file.write_text(simulate_cohort(spec, cohort, number, patients))
    assert spec.data is not None
    data = spec.data.model_copy(update={"file": file})
    return read_problem(spec.model_copy(update={"data": data}))


def true_estimands(problem: Problem, truth: Truth, number: int) -> dict[str, Any]:
    """Of the very patients that `simulate_cohort` has drawn with this number."""
    forms = effect_forms(problem.spec, problem.schedule)
    draw_key = jax.random.split(jax.random.key(number), 1)[0]
    patient_key = jax.random.split(draw_key, 3)[2]
    simulator = Simulator(problem.spec, problem.model, forms)
    sites = simulator.new_patients(truth.shared, problem.schedule, patient_key)
    one = {name: np.asarray(value)[None] for name, value in sites.items()}
    found = estimand_group(problem, forms, event_mesh(problem), one, 1)
    return {name: each.values[0, 0] for name, each in found.items()}


def quality(tree: xr.DataTree) -> dict[str, Any]:
    checks = diagnose(tree)
    return {
        "divergences": checks.value("divergences"),
        "rhat": checks.value("R-hat"),
        "verdict": checks.verdict,
    }


def placed(tree: xr.DataTree, name: str, true: float) -> dict[str, float]:
    """Where a true number lies among its draws: rank, and z on the log scale."""
    draws = np.asarray(tree["posterior"][name]).ravel()
    logs = np.log(draws) if (draws > 0).all() and true > 0 else draws
    at = np.log(true) if logs is not draws else true
    return {
        "true": true,
        "rank": float(np.mean(draws < true)),
        "z": float((at - logs.mean()) / logs.std()),
    }


def coded(time: Any, outcome: Any) -> np.ndarray:
    """Crossing times in their order: never above first, not yet crossed last."""
    return np.where(outcome == 0, -np.inf, np.where(outcome == 1, time, np.inf))


def crossings(
    spec: FitSpec, tree: xr.DataTree, own: Mapping[str, Any]
) -> Iterator[bool]:
    """Whether each patient's true crossing lies in its 90 % interval."""
    for name, block in spec.estimand.items():
        if isinstance(block, CrossingEstimand):
            group = tree["estimand"]
            drawn = coded(*(np.asarray(group[n]) for n in (name, f"{name}_outcome")))
            flat = np.sort(drawn.reshape(-1, drawn.shape[-1]), axis=0)
            ends = [round(q * (len(flat) - 1)) for q in (0.05, 0.95)]
            true = coded(own[name], own[f"{name}_outcome"])
            yield from map(bool, (flat[ends[0]] <= true) & (true <= flat[ends[1]]))


def responses(tree: xr.DataTree, own: Mapping[str, Any]) -> list[tuple[float, bool]]:
    """P(response at the last record) of each patient, and whether it was one."""
    drawn = np.asarray(tree["estimand"]["end"])
    chance = np.mean(drawn < RESPONSE, axis=(0, 1))
    return [
        (float(p), bool(end < RESPONSE))
        for p, end in zip(chance, own["end"], strict=True)
    ]


def inside(line: Mapping[str, Any]) -> dict[str, list[bool]]:
    """Coverage of one cohort: of population parameters, and of patients' crossings."""
    low, high = (1 - LEVEL) / 2, (1 + LEVEL) / 2
    ranks = [each["rank"] for each in line["population"].values()]
    return {
        "population": [low <= rank <= high for rank in ranks],
        "t_rej": line["crossings"],
    }


def summary(done: list[dict[str, Any]]) -> str:
    """All figures of a study, as text."""
    kept = [line for line in done if "failed" not in line]
    said = [f"{len(done)} cohorts, {len(done) - len(kept)} failed"]
    said += [
        f"  {line['cohort']}: {line['failed']}" for line in done if line not in kept
    ]
    for name in ("population", "t_rej"):
        said.append(coverage(name, [inside(line)[name] for line in kept]))
    z = np.abs([x["z"] for line in kept for x in line["population"].values()])
    said.append(f"|z| above 2: {np.mean(z > 2):.1%}; largest {z.max():.2f}")
    said += reliability([pair for line in kept for pair in line["responses"]])
    said += [
        f"cohort {line['cohort']}: R-hat {line['rhat']:.3f}, {line['divergences']:g} "
        f"divergences, {line['cpu_s']:.0f} CPU-s"
        for line in kept
    ]
    return "\n".join(said)


def coverage(name: str, by_cohort: list[list[bool]]) -> str:
    """Pooled, with the 95 % interval of a bootstrap of whole cohorts."""
    rng = np.random.default_rng(1)
    sizes = np.array([len(each) for each in by_cohort])
    hits = np.array([sum(each) for each in by_cohort])
    again = rng.integers(0, len(hits), (BOOTSTRAPS, len(hits)))
    shares = hits[again].sum(1) / sizes[again].sum(1)
    low, high = np.quantile(shares, [0.025, 0.975])
    pooled = hits.sum() / sizes.sum()
    return f"{name}: {LEVEL:.0%} intervals cover {pooled:.1%} ({low:.1%} to {high:.1%})"


def reliability(pairs: list[tuple[float, bool]]) -> Iterator[str]:
    """Deciles of P(response) beside the share of responses, and the Brier score."""
    chance, seen = np.array(pairs, float).T
    yield (
        f"P(response): Brier score {np.mean((chance - seen) ** 2):.4f}; with the share "
        f"of responses for all {seen.mean() * (1 - seen.mean()):.4f}"
    )
    place = np.minimum((chance * 10).astype(int), 9)
    for decile in np.unique(place):
        here = place == decile
        error = np.sqrt(np.mean(chance[here] * (1 - chance[here])) / here.sum())
        yield (
            f"  {decile / 10:.1f}: said {chance[here].mean():.3f}, seen "
            f"{seen[here].mean():.3f} of {here.sum()} (SE {error:.3f})"
        )


if __name__ == "__main__":
    main()
