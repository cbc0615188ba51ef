"""`parameter_table`: the population parameters as a table, one row each."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from imak_pkpd.check.convergence import Drawn, ess_bulk, ess_tail, rhat
from imak_pkpd.check.posterior import effects, population_arrays

INTERVAL = "95 % equal-tailed interval"
LOWER, UPPER = 0.025, 0.975

# Kinds of parameters in reading order; what has none of these comes last.
_ORDER = ("_pop", "beta_", "omega_", "corr_")


def parameter_table(
    tree: xr.DataTree, units: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Columns name, unit, median, lower, upper, rhat, ess_bulk, ess_tail, shrinkage.

    `lower` and `upper` are the `INTERVAL`; `shrinkage`, in the row of omega_p, is
    1 - SD over patients of the posterior mean of eta_p / median omega_p. `units` by
    parameter or output name. A typical value stands for its theta, on its own scale.
    """
    shrinkage = shrinkages(tree)
    rows = [
        _row(name, drawn, unit_of(name, units or {}), shrinkage.get(name))
        for name, drawn in shown_arrays(tree).items()
    ]
    table = pd.DataFrame(rows, columns=_COLUMNS)
    table.attrs["interval"] = INTERVAL
    return table


def shown_arrays(tree: xr.DataTree) -> dict[str, Drawn]:
    """The draws of the parameters that a table shows, in reading order."""
    drawn = {n: v for n, v in population_arrays(tree).items() if _shown(n, tree)}
    return {name: drawn[name] for name in sorted(drawn, key=_kind)}


def unit_of(name: str, units: Mapping[str, str]) -> str:
    """The unit of a posterior variable; a typical value has that of its parameter."""
    return units.get(name.removesuffix("_pop"), units.get(name, ""))


def shrinkages(tree: xr.DataTree) -> dict[str, float]:
    """Shrinkage of eta by the name of its omega."""
    posterior = tree["posterior"].to_dataset()
    return {
        f"omega_{name}": 1.0
        - float(np.std(eta.mean(axis=(0, 1)), ddof=1))
        / float(np.median(posterior[f"omega_{name}"].values))
        for name, eta in effects(tree).items()
        if f"omega_{name}" in posterior and eta.shape[2] > 1
    }


_COLUMNS = (
    "name",
    "unit",
    "median",
    "lower",
    "upper",
    "rhat",
    "ess_bulk",
    "ess_tail",
    "shrinkage",
)


def _row(
    name: str, drawn: Drawn, unit: str, shrinkage: float | None
) -> tuple[object, ...]:
    lower, median, upper = np.quantile(drawn, (LOWER, 0.5, UPPER))
    figures = [rhat(drawn) if len(drawn) > 1 else np.nan, ess_bulk(drawn)]
    shrunk = np.nan if shrinkage is None else shrinkage
    return (name, unit, median, lower, upper, *figures, ess_tail(drawn), shrunk)


def _shown(name: str, tree: xr.DataTree) -> bool:
    """Typical values stand for theta, correlations for the Cholesky factor."""
    natural = f"{name.removeprefix('theta_')}_pop"
    twice = name.startswith("theta_") and natural in tree["posterior"]
    return not twice and not name.startswith("cholesky_")


def _kind(name: str) -> int:
    return next(
        (
            i
            for i, mark in enumerate(_ORDER)
            if name.startswith(mark) or name.endswith(mark)
        ),
        len(_ORDER),
    )
