"""Observations beside their predictions and residuals, from the whole posterior.

`goodness` reads a run's DataTree and returns one row per observation.

paper   | here    | meaning
--------|---------|-----------------------------------------------------------
PRED    | `pred`  | prediction at eta = 0, median over the posterior
IPRED   | `ipred` | prediction at the subject's own eta, median; 90 % interval
IWRES   | `iwres` | (DV - IPRED) / scale of the residual error, mean over draws

IWRES of a draw is in the tree: it was computed from the likelihood's own distribution.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from imak_pkpd.check.censoring import Codes, Observed, Values

Draws = Float[np.ndarray, "draw observation"]

BAND = (0.05, 0.95)
"""The 90 % interval of IPRED."""


@dataclass(frozen=True)
class Goodness:
    """One value per observation; `subject` and `output` are numbers from 0.

    `iwres` of a censored row is that of its limit: the residual lies beyond it.
    """

    observed: Observed
    subject: Codes
    output: Codes
    time: Values
    time_after_dose: Values
    pred: Values
    ipred: Values
    ipred_low: Values
    ipred_high: Values
    iwres: Values


def goodness(tree: xr.DataTree) -> Goodness:
    """The rows of `observed_data` with predictions and individual residuals.

    A residual that is not a number in some draw is NaN.
    """
    data = tree["observed_data"].dataset
    ipred = stacked(tree, "ipred")
    low, middle, high = np.quantile(ipred, (BAND[0], 0.5, BAND[1]), axis=0)
    return Goodness(
        observed=observations(data),
        subject=codes(data, "subject_index"),
        output=codes(data, "output_index"),
        time=values(data, "time"),
        time_after_dose=values(data, "time_after_dose"),
        pred=np.median(stacked(tree, "pred"), axis=0),
        ipred=middle,
        ipred_low=low,
        ipred_high=high,
        iwres=_mean(stacked(tree, "iwres")),
    )


def _mean(residual: Draws) -> Values:
    """The mean over draws; NaN where a draw has no finite residual."""
    known = np.isfinite(residual).all(axis=0)
    return np.where(known, np.where(known, residual, 0.0).mean(axis=0), np.nan)


def stacked(tree: xr.DataTree, name: str, group: str = "posterior_predictive") -> Draws:
    """A predicted variable with chains and draws in one axis, in that order."""
    variable = tree[group].dataset[name]
    flat = variable.stack(sample=("chain", "draw")).transpose("sample", ...)
    return np.asarray(flat.values, dtype=np.float64)


def observations(data: xr.Dataset) -> Observed:
    """DV, limit and censoring code of every observation."""
    return Observed(values(data, "dv"), values(data, "limit"), codes(data, "censor"))


def values(data: xr.Dataset, name: str) -> Values:
    return np.asarray(data[name].values, dtype=np.float64)


def codes(data: xr.Dataset, name: str) -> Int[np.ndarray, " observation"]:
    return np.asarray(data[name].values, dtype=np.int64)
