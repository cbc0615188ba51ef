"""Predictions, intervals and IWRES against their definitions."""

import numpy as np
import pytest
import xarray as xr

from imak_pkpd.check.goodness import goodness, iwres

N, CHAINS, DRAWS = 30, 2, 1000


def tree(log: bool) -> xr.DataTree:
    """A run whose residual SD is known: 0.5, on the natural or on the log scale."""
    random = np.random.default_rng(3)
    ipred = np.exp(random.normal(2, 0.1, (CHAINS, DRAWS, N)))
    noise = 0.5 * random.normal(size=ipred.shape)
    again = ipred * np.exp(noise) if log else ipred + noise
    dims = ("chain", "draw", "observation")
    row = ("observation",)
    observed = {
        "dv": (row, np.exp(random.normal(2, 0.5, N))),
        "limit": (row, np.zeros(N)),
        "censor": (row, np.zeros(N, int)),
        "time": (row, np.arange(N) * 1.0),
        "time_after_dose": (row, np.arange(N) % 5 * 1.0),
        "subject_index": (row, np.arange(N) // 5),
        "output_index": (row, np.zeros(N, int)),
    }
    predicted = {"ipred": ipred, "pred": ipred * 0.9, "replicate_individual": again}
    return xr.DataTree.from_dict(
        {
            "observed_data": xr.Dataset(observed, coords={"output": ["c"]}),
            "posterior_predictive": xr.Dataset(
                {name: (dims, value) for name, value in predicted.items()}
            ),
        }
    )


@pytest.mark.parametrize("log", [False, True])
def test_iwres_is_the_residual_in_units_of_its_sd(log: bool) -> None:
    run = tree(log)
    result = goodness(run, ["c"] if log else [])
    dv = run["observed_data/dv"].values
    ipred = run["posterior_predictive/ipred"].values.reshape(-1, N)
    scale = np.log if log else np.asarray
    truth = np.mean((scale(dv) - scale(ipred)) / 0.5, axis=0)
    # the quantile of 2,000 draws estimates the SD to about 2 %: 4 of them
    np.testing.assert_allclose(result.iwres, truth, rtol=0.08, atol=0.01)
    np.testing.assert_allclose(result.pred, np.median(ipred * 0.9, axis=0))
    ends = np.quantile(ipred, [0.05, 0.95], axis=0)
    np.testing.assert_allclose([result.ipred_low, result.ipred_high], ends)


def test_no_spread_gives_no_residual() -> None:
    one = np.ones((10, 1))
    assert np.isnan(iwres(np.array([2.0]), one, one, np.array([False]))).all()
    assert np.isnan(iwres(np.array([0.0]), one, one + 0.1, np.array([True]))).all()
