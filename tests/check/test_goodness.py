"""Predictions, intervals and IWRES against their definitions."""

import numpy as np
import pytest
import xarray as xr

from imak_pkpd.check.goodness import goodness

N, CHAINS, DRAWS = 30, 2, 100


@pytest.fixture
def tree() -> xr.DataTree:
    """A run with one output; the residual of row 7 does not exist in one draw."""
    random = np.random.default_rng(3)
    ipred = np.exp(random.normal(2, 0.1, (CHAINS, DRAWS, N)))
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
    iwres = random.normal(1, 2, ipred.shape)
    iwres[1, 3, 7] = -np.inf  # log of a DV of zero
    predicted = {"ipred": ipred, "pred": ipred * 0.9, "iwres": iwres}
    return xr.DataTree.from_dict(
        {
            "observed_data": xr.Dataset(observed, coords={"output": ["c"]}),
            "posterior_predictive": xr.Dataset(
                {name: (dims, value) for name, value in predicted.items()}
            ),
        }
    )


def test_predictions_are_medians_with_their_interval(tree: xr.DataTree) -> None:
    result = goodness(tree)
    ipred = tree["posterior_predictive/ipred"].values.reshape(-1, N)
    np.testing.assert_allclose(result.pred, np.median(ipred * 0.9, axis=0))
    ends = np.quantile(ipred, [0.05, 0.95], axis=0)
    np.testing.assert_allclose([result.ipred_low, result.ipred_high], ends)
    np.testing.assert_array_equal(result.subject, np.arange(N) // 5)


def test_iwres_is_the_mean_over_draws_or_not_a_number(tree: xr.DataTree) -> None:
    result = goodness(tree)
    draws = tree["posterior_predictive/iwres"].values.reshape(-1, N)
    others = np.arange(N) != 7
    np.testing.assert_allclose(result.iwres[others], draws.mean(0)[others])
    assert np.isnan(result.iwres[7])
