"""Observations beside their predictions and residuals, from the whole posterior.

`goodness` reads a run's DataTree and returns one row per observation.

paper   | here    | meaning
--------|---------|-----------------------------------------------------------
PRED    | `pred`  | prediction at eta = 0, median over the posterior
IPRED   | `ipred` | prediction at the subject's own eta, median; 90 % interval
IWRES   | `iwres` | (DV - IPRED) / SD of the residual error, mean over draws
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from imak_pkpd.check.censoring import Codes, Observed, Values

Draws = Float[np.ndarray, "draw observation"]

ONE_SD = 0.6826894921370859
"""P(|Z| < 1) of a standard normal Z."""

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


def goodness(tree: xr.DataTree, log_outputs: Collection[str] = ()) -> Goodness:
    """The rows of `observed_data` with predictions and individual residuals.

    `log_outputs` names the outputs with a log-normal error: their residual is
    (log DV - log IPRED) / SD.
    """
    data = tree["observed_data"].dataset
    output = codes(data, "output_index")
    ipred = stacked(tree, "ipred")
    low, middle, high = np.quantile(ipred, (BAND[0], 0.5, BAND[1]), axis=0)
    names = [str(name) for name in data.coords["output"].values]
    logs = np.array([name in log_outputs for name in names])[output]
    return Goodness(
        observed=observations(data),
        subject=codes(data, "subject_index"),
        output=output,
        time=values(data, "time"),
        time_after_dose=values(data, "time_after_dose"),
        pred=np.median(stacked(tree, "pred"), axis=0),
        ipred=middle,
        ipred_low=low,
        ipred_high=high,
        iwres=iwres(
            values(data, "dv"), ipred, stacked(tree, "replicate_individual"), logs
        ),
    )


def iwres(dv: Values, ipred: Draws, replicate: Draws, logs: np.ndarray) -> Values:
    """Individual weighted residual of each observation, averaged over draws.

    `replicate` is IPRED of the same draw with a new residual error; half the central
    68.3 % of their difference is the SD of a normal error, and exists for a
    heavy-tailed one too. `logs` marks rows whose residual is on the log scale. NaN
    where the error has no spread or the logarithm does not exist.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        point, centre, noisy = (
            np.where(logs, np.log(x), x) for x in (dv, ipred, replicate)
        )
        spread = np.quantile(np.abs(noisy - centre), ONE_SD, axis=0)
        residual = (point - centre.mean(axis=0)) / spread
    return np.where(np.isfinite(residual), residual, np.nan)


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
