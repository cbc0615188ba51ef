"""A run of the toy of `toy.py`: no patients, a posterior that is written down."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from imak_pkpd.fit.record import new_record
from imak_pkpd.fit.run import POSTERIOR, create_run, update_record
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.tree import build_tree, posterior_group, write_tree
from tests.decide.toy import toy_sites, toy_spec

OMEGA_S = 0.3  # as the toy's fit has it


def toy_run(folder: Path, decision: str) -> Path:
    """The population is known: all draws are alike."""
    draws = {n: np.full((2, 20), v[0]) for n, v in toy_sites().items()}
    draws["theta_s"][:] = np.log(0.1)
    return run_of(folder, toy_spec(folder, decision), draws)


def run_of(folder: Path, spec: FitSpec, draws: Mapping[str, np.ndarray]) -> Path:
    """A finished run of a fit, with draws of its sites, [chain, draw]."""
    known = new_record(spec.path, spec.model, None, spec.estimation.model_dump())
    run = create_run(known, folder / "runs")
    said = {"settings": str(spec), "fit_sha256": spec.sha256}
    groups = {"posterior": posterior_group(draws, 1)}
    write_tree(build_tree(groups, {}, said), run / POSTERIOR)
    update_record(run, status="finished")
    return run
