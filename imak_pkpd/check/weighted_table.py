"""`weighted_table`: the parameters of a weighted result, prior beside posterior."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from imak_pkpd.check.parameter_table import LOWER, UPPER, shown_arrays, unit_of
from imak_pkpd.check.posterior import Drawn

_LEVELS = (0.5, LOWER, UPPER)
_NUMBERS = ("median", "lower", "upper")
_COLUMNS = ("name", "unit", *(f"prior_{n}" for n in _NUMBERS), *_NUMBERS)


def weighted_table(
    tree: xr.DataTree, units: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Columns name, unit, prior_median, prior_lower, prior_upper, median, lower, upper.

    Intervals as in `parameter_table`. Weighted draws have one effective size for all
    parameters, and no R-hat: `diagnose_weighting` has it.
    """
    prior = tree["prior"].to_dataset() if "prior" in tree.children else xr.Dataset()
    rows = [
        (name, unit_of(name, units or {}), *_before(prior, name), *_levels(drawn))
        for name, drawn in shown_arrays(tree).items()
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _before(prior: xr.Dataset, name: str) -> tuple[float, ...]:
    if name not in prior:
        return (np.nan,) * len(_LEVELS)
    return _levels(prior[name].values)


def _levels(drawn: Drawn) -> tuple[float, ...]:
    return tuple(float(value) for value in np.quantile(drawn, _LEVELS))
