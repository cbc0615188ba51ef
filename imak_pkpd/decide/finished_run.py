"""`read_finished`: a finished run whose fit file and model are still what was fitted.

`population_sites` are its draws of what all patients share, as NumPyro sites.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.fit.fit import overridden
from imak_pkpd.fit.posterior import settled
from imak_pkpd.fit.record import RunRecord
from imak_pkpd.fit.run import POSTERIOR, read_record
from imak_pkpd.fit.runs_index import changed_since
from imak_pkpd.fit.simulate import Simulator
from imak_pkpd.fit.spec import FitSpec, read_fit
from imak_pkpd.fit.tree import read_tree
from imak_pkpd.model import AnyModel
from imak_pkpd.population import OmegaBlock
from imak_pkpd.population.omega import CorrelationBlock, CovarianceBlock, Form

USED = ("posterior", "observed_data")  # groups; to read them all takes seconds
Sites = Mapping[str, np.ndarray]
"""Draws of NumPyro sites, [draw, ...]."""


class FinishedRun(NamedTuple):
    """A run folder whose posterior can be used, and its fit file, [solver] settled.

    `tree` has the groups USED.
    """

    folder: Path
    record: RunRecord
    spec: FitSpec
    tree: xr.DataTree

    @property
    def synthetic(self) -> bool:
        """Whether the population is one of simulated patients."""
        return self.spec.data is not None and self.spec.data.synthetic

    @property
    def complaint(self) -> str:
        """What the diagnostics of the run itself say against it; empty: nothing."""
        result = self.record.result
        return "" if result is None or result.passed else result.verdict


def read_finished(folder: Path) -> FinishedRun:
    """The run of a folder, with its fit file as it is now.

    Raises a `ValueError` when it is not finished, and when the model file changed since
    or anything of the fit file that was fitted: its [decision] and [trial] may be new,
    and so may be the data, whose draws are there.
    """
    record = read_record(folder)
    if record.status != "finished":
        raise ValueError(
            f"{folder} is {record.status}, not finished: finish it by `imak resume`"
        )
    spec, tree = read_fit(record.fit.path), read_tree(folder / POSTERIOR, USED)
    fitted = overridden(spec, record.overrides).sha256
    changed = {
        "model file": "model" in changed_since(record),
        "fit file, or one it is based on,": fitted != tree.attrs.get("fit_sha256"),
    }
    for name, whether in changed.items():
        if whether:
            raise ValueError(
                f"{folder}: the {name} changed since the run: restore it, or make a "
                "new run with `imak fit`"
            )
    if "posterior" not in tree.children:
        raise ValueError(f"{folder / POSTERIOR} has no group posterior: fit again")
    chosen = record.choices.get("solver", {}).get("method", spec.solver.method)
    return FinishedRun(folder, record, settled(spec, chosen), tree)


def require_patients(run: FinishedRun) -> FinishedRun:
    """The run itself; a `ValueError` when its fit file does not say how a patient file
    is read."""
    spec = run.spec
    if spec.data is None or not spec.output:
        lacking = "[data]" if spec.data is None else "[output]"
        raise ValueError(
            f"{spec.path.name} has no {lacking} block, so it does not say what the "
            "samples of a patient mean: forecast from a run of a fit with patients"
        )
    return run


def population_sites(
    spec: FitSpec, model: type[AnyModel], schedule: Schedule, tree: xr.DataTree
) -> dict[str, np.ndarray]:
    """Draws of the sites that patients share, all chains in a row.

    The factors of blocks, which a run does not keep, are made of its correlations.
    """
    forms: dict[str, Form] = dict.fromkeys(spec.omega.random, "z")
    drawn = drawn_sites(spec, tree)
    needed = Simulator(spec, model, forms).shared(schedule)
    lacking = [name for name in needed if name not in drawn]
    if lacking:
        raise ValueError(
            f"the posterior has no {', '.join(lacking)}: it is not that of "
            f"{spec.path.name}, make a new run with `imak fit`"
        )
    return {name: drawn[name] for name in needed}


def drawn_sites(spec: FitSpec, tree: xr.DataTree) -> dict[str, np.ndarray]:
    """All that a run keeps of its draws, all chains in a row, with the factors of
    blocks."""
    kept = tree["posterior"].to_dataset()
    drawn = {str(n): _in_a_row(np.asarray(v)) for n, v in kept.data_vars.items()}
    factors = {
        f"cholesky_{block.name}": block_factor(spec.omega, block, drawn)
        for block in spec.omega.blocks
    }
    return {**drawn, **factors}


def _in_a_row(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, *values.shape[2:])


def block_factor(
    omega: OmegaBlock, block: CorrelationBlock | CovarianceBlock, drawn: Sites
) -> Float[np.ndarray, "draw k k"]:
    """The Cholesky factor of a block: of its correlation, or of its covariance."""
    names = block.parameters
    pairs = {
        (row, column): drawn[f"corr_{names[column]}_{names[row]}"]
        for column in range(len(names))
        for row in range(column + 1, len(names))
    }
    draws = len(next(iter(pairs.values())))
    made = np.ones((draws, len(names), len(names)))
    for (row, column), value in pairs.items():
        made[:, row, column] = made[:, column, row] = value
    if block in omega.covariance:  # in a correlation an SD may be fixed, and not kept
        sd = np.stack([drawn[f"omega_{name}"] for name in names], -1)
        made = made * sd[:, :, None] * sd[:, None, :]
    return np.linalg.cholesky(made)
