"""What the screen and the record say of a fit of published facts."""

from collections.abc import Iterator

import numpy as np
import xarray as xr
from rich.table import Table

from imak_pkpd.check.convergence import Diagnostics
from imak_pkpd.check.weighting import weighting_of
from imak_pkpd.cli.screen import table
from imak_pkpd.fit.record import Result

LEVELS = (0.5, 0.05, 0.95)


def weighted_result(diagnostics: Diagnostics, tree: xr.DataTree) -> Result:
    """The figures for run.json; there are no chains."""
    said = weighting_of(tree)
    return Result(
        passed=diagnostics.passed,
        verdict=diagnostics.verdict,
        ess_bulk_min=said.get("ess"),
        failed_solves=said.get("failed"),
        cpu_s={"weighting": said.get("cpu_s", np.nan)},
    )


def estimand_screen(tree: xr.DataTree) -> Table:
    """Cohort means of every estimand, prior beside posterior."""
    headings = (
        "mean over virtual patients",
        "cohort",
        "prior (90 %)",
        "posterior (90 %)",
    )
    return table(headings, _rows(tree))


def _rows(tree: xr.DataTree) -> Iterator[tuple[str, ...]]:
    groups = ("prior_estimand", "cohort_estimand")
    before, after = (tree[group].to_dataset() for group in groups)
    for name in after.data_vars:
        for cohort in after["cohort"].values:
            at = {"cohort": cohort}
            pair = (_words(group[name].sel(at).values) for group in (before, after))
            yield (str(name), str(cohort), *pair)


def _words(values: np.ndarray) -> str:
    middle, low, high = np.nanquantile(values, LEVELS)
    return f"{middle:.3g} ({low:.3g} – {high:.3g})"
