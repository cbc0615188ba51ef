"""A dose table of the core model: draws x patients x doses, on all cores.

python benchmarks/dose_throughput.py [--draws 200 --patients 500 --doses 60]

200 draws of the prior, 500 virtual patients and 60 doses are six million solves to day
28. What is timed is what `imak dose` does for its table: every estimand of every
patient, utility, limits, quantiles of patients. Placing the steps and compiling are
timed beside it.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import jax
import numpy as np

from imak_pkpd.decide.decision import decision_of
from imak_pkpd.decide.designs import layouts, shown_amounts, treated
from imak_pkpd.decide.evaluate import batches, check_by, evaluate, solver_error
from imak_pkpd.decide.of_run import with_states
from imak_pkpd.fit.sites import draws_of
from imak_pkpd.fit.spec import FitSpec, read_fit
from imak_pkpd.fit.virtual import shared_prior, unplaced_cohort
from imak_pkpd.fit.weighting import REFERENCE

BATCHES = 10
FIT = """\
problem = "The core model's table of doses"
based_on = "{based_on}"
data = "drop"
output = "drop"
[cohort.trial]
horizon = 28.0
[cohort.trial.covariate]
WT = {{ median = 70.0, gsd = 1.2 }}
[cohort.trial.dose]
cells = {{ times = [0.0], amount = 1e8, per = "WT" }}
[estimand]
low = {{ kind = "remission", output = "tumour", visits = [28.0], below = 1e9, spread = 0.46 }}
[decision]
cohort = "trial"
utility = "low - 0.01*donor_days"
draws = {draws}
patients = {patients}
batches = {batches}
[decision.amount]
cells = {{ low = 1e7, high = 1e9, points = {doses} }}
[decision.limit]
t_rej = {{ later_than = 6.0, at_most = 0.1 }}
"""  # noqa: E501


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, usual in (("draws", 200), ("patients", 500), ("doses", 60)):
        asked.add_argument(f"--{name}", type=int, default=usual)
    given = asked.parse_args()
    jax.config.update("jax_enable_x64", True)
    with tempfile.TemporaryDirectory() as folder:
        spec = core_fit(Path(folder), given.draws, given.patients, given.doses)
        table(spec)


def core_fit(folder: Path, draws: int, patients: int, doses: int) -> FitSpec:
    """The core model with a cohort and a decision, read from a file."""
    below = Path(__file__).parents[1] / "fits" / "100-imak-core.toml"
    text = FIT.format(
        based_on=Path(os.path.relpath(below, folder)).as_posix(),
        draws=max(draws // BATCHES, 1),
        patients=patients,
        batches=BATCHES,
        doses=doses,
    )
    (folder / "table.toml").write_text(text)
    return read_fit(folder / "table.toml")


def table(spec: FitSpec) -> None:
    """Times the table, and prints what it took."""
    block, model = decision_of(spec), with_states(spec)
    draws = block.draws * block.batches
    bare = unplaced_cohort(spec, model, block.cohort, 2)
    sites = draws_of(partial(shared_prior, (bare,)), draws, 1)
    amounts = shown_amounts(block)
    with timed("placing the steps"):
        made = treated(spec, block, model, next(layouts(block)), sites)
        some = batches(made, block, sites)
    with timed("compiling"):
        evaluate(made, some[:1], amounts[:1])
    wall, cpu = time.perf_counter(), time.process_time()
    found = evaluate(made, some, amounts)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    solves = draws * block.patients * len(amounts)
    steps = np.mean([len(np.unique(row)) - 1 for b in some for row in b.meshes.clock])
    error = solver_error(check_by(made, some, REFERENCE), found)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{draws} draws x {block.patients} patients x {len(amounts)} doses")
    print(
        f"solves: {solves}, of {steps:.0f} steps, unsolved {unsolved(found.means):.2%}"
    )
    print(f"wall: {wall:.1f} s on {os.cpu_count()} cores; CPU: {cpu:.1f} s")
    print(f"CPU per solve: {1e6 * cpu / solves:.1f} us; peak memory: {peak:.0f} MiB")
    print(
        f"mean utility: {np.mean(found.means['utility']):.9f}, +- {error:.1g} (solver)"
    )


def unsolved(means: dict[str, np.ndarray]) -> float:
    return float(np.mean(means["failed"]))


@contextmanager
def timed(what: str) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    took = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{what}: wall {took[0]:.1f} s, CPU {took[1]:.1f} s")


if __name__ == "__main__":
    main()
