"""Filling the gaps of a covariate, against pandas and against numpy's interp."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from imak_pkpd.data import Dataset
from imak_pkpd.data.carry import fill_gaps

Read = Callable[..., Dataset]

cells = st.lists(
    st.tuples(st.integers(0, 2), st.none() | st.integers(0, 9), st.integers(0, 3)),
    min_size=1,
    max_size=20,
)


def arrays(
    rows: list[tuple[int, int | None, int]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, times that never fall, and runs in rising order."""
    rows = sorted(rows, key=lambda row: row[0])
    values = np.array([np.nan if v is None else v for _, v, _ in rows], float)
    time = np.cumsum([step for _, _, step in rows]).astype(float)
    return values, time, np.array([run for run, _, _ in rows])


@given(cells)
def test_locf_and_nocb_as_pandas_fills(rows: list) -> None:
    values, time, run = arrays(rows)
    groups = pd.Series(values).groupby(run)
    forward = groups.ffill().fillna(groups.bfill())
    backward = groups.bfill().fillna(groups.ffill())
    np.testing.assert_array_equal(fill_gaps(values, time, run, "locf"), forward)
    np.testing.assert_array_equal(fill_gaps(values, time, run, "constant"), forward)
    np.testing.assert_array_equal(fill_gaps(values, time, run, "nocb"), backward)


@given(cells)
def test_linear_as_numpy_interpolates(rows: list) -> None:
    values, time, run = arrays(rows)
    time = time + np.arange(len(time))  # strictly rising, as np.interp needs
    filled = fill_gaps(values, time, run, "linear")
    for who in np.unique(run):
        mine = run == who
        known = mine & ~np.isnan(values)
        if not known.any():
            assert np.isnan(filled[mine]).all()
            continue
        wanted = np.interp(time[mine], time[known], values[known])
        # 1e-12: two ways to round the same straight line through values below 10
        np.testing.assert_allclose(filled[mine], wanted, rtol=0, atol=1e-12)


def test_linear_where_time_stands_still() -> None:
    values = np.array([1.0, np.nan, 3.0])
    filled = fill_gaps(values, np.zeros(3), np.zeros(3, int), "linear")
    assert list(filled) == [1, 1, 3]


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("locf", [70, 70, 73, 60]),
        ("nocb", [70, 73, 73, 60]),
        ("linear", [70, 71, 73, 60]),
    ],
)
def test_through_a_file(read: Read, rule: str, wanted: list[float]) -> None:
    text = "ID,TIME,DV,WT\n1,0,1,70\n1,1,1,.\n1,3,1,73\n2,0,1,60\n"
    dataset = read(text, covariates={"WT": rule})
    assert dataset.findings == ()
    assert list(dataset.covariates["WT"]) == wanted


def test_words_become_codes_with_names(read: Read) -> None:
    text = "ID,TIME,DV,SEX\n1,0,1,M\n1,1,1,NA\n2,0,1,F\n"
    dataset = read(text, covariates={"SEX": "constant"})
    assert dataset.findings == ()
    assert dataset.levels == {"SEX": ("F", "M")}
    assert list(dataset.covariates["SEX"]) == [1, 1, 0]
