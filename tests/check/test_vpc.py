"""VPC numbers against plain loops over bins and replicates."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from imak_pkpd.check.censoring import Observed, assay_limits, true_range
from imak_pkpd.check.vpc import bin_count, bin_of, corrected_vpc, time_bins, vpc


def example(
    seed: int, n: int = 200, replicates: int = 60
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Times, typical values, data and replicates of a decaying curve."""
    random = np.random.default_rng(seed)
    time = random.uniform(0, 24, n)
    pred = 10 * np.exp(-0.2 * time)
    data = pred * np.exp(0.3 * random.normal(size=n))
    return time, pred, data, pred * np.exp(0.3 * random.normal(size=(replicates, n)))


def censored_at(data: np.ndarray, lloq: float) -> Observed:
    below = data < lloq
    return Observed(
        np.where(below, lloq, data), np.zeros_like(data), below.astype(np.int64)
    )


def sorted_percentile(values: np.ndarray, p: float) -> float:
    """Type 7 percentile by its definition, from the sorted values."""
    ranked = sorted(values)
    place = p * (len(ranked) - 1)
    below = int(np.floor(place))
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (place - below) * (ranked[above] - ranked[below])


def test_percentiles_and_blq_by_plain_loops() -> None:
    time, _, data, replicate = example(1)
    observed = censored_at(data, 0.5)
    lloq = np.full(len(data), 0.5)
    edges = time_bins(time, 6)
    result = vpc(time, observed, lloq, replicate, edges)
    assert result.count.sum() == len(data)
    for b in range(6):
        last = b == 5
        inside = (time >= edges[b]) & ((time < edges[b + 1]) | last)
        for p, percentile in enumerate(result.percentiles):
            truth = sorted_percentile(data[inside], percentile)
            if not np.isnan(result.observed[p, b]):
                assert result.observed[p, b] == pytest.approx(truth, rel=1e-12)
            each = [sorted_percentile(row[inside], percentile) for row in replicate]
            ends = [sorted_percentile(np.array(each), q) for q in (0.025, 0.5, 0.975)]
            np.testing.assert_allclose(result.simulated[:, p, b], ends, rtol=1e-12)
        shares = np.array([np.mean(row[inside] <= 0.5) for row in replicate])
        assert result.blq_observed[b] == np.mean(data[inside] < 0.5)
        ends = [sorted_percentile(shares, q) for q in (0.025, 0.5, 0.975)]
        np.testing.assert_allclose(result.blq_simulated[:, b], ends, rtol=1e-12)


def test_a_percentile_among_censored_values_is_not_shown() -> None:
    time, _, data, replicate = example(2)
    result = vpc(
        time, censored_at(data, 0.5), np.full(200, 0.5), replicate, time_bins(time, 6)
    )
    share = result.blq_observed
    assert np.isnan(result.observed[0, share > 0.15]).all()
    assert not np.isnan(result.observed[0, share < 0.05]).any()
    assert not np.isnan(result.observed[2, share < 0.8]).any()
    assert (share > 0.15).any()


def test_above_the_upper_limit_hides_the_upper_percentile_only() -> None:
    time, _, data, replicate = example(3)
    over = data > 8.0
    observed = Observed(
        np.where(over, 8.0, data), np.zeros(200), np.where(over, -1, 0).astype(np.int64)
    )
    result = vpc(
        time, observed, np.full(200, -np.inf), replicate, np.array([0.0, 3.0, 24.0])
    )
    assert np.isnan(result.observed[2, 0])
    assert not np.isnan(result.observed[0, 0])
    assert np.isnan(result.blq_observed).all()


def test_prediction_correction_by_equation_3() -> None:
    time, pred, data, replicate = example(4)
    edges = time_bins(time, 5)
    observed = censored_at(data, -np.inf)
    lloq = np.full(200, -np.inf)
    result = corrected_vpc(time, observed, lloq, replicate, pred, edges)
    bins = bin_of(time, edges)
    median = np.array([np.median(pred[bins == b]) for b in range(5)])[bins]
    plain = vpc(
        time,
        censored_at(data * median / pred, -np.inf),
        lloq,
        replicate * median / pred,
        edges,
    )
    np.testing.assert_allclose(result.observed, plain.observed, rtol=1e-12)
    np.testing.assert_allclose(result.simulated, plain.simulated, rtol=1e-12)
    assert result.refused == ()


def test_prediction_correction_refuses_a_zero_and_a_thousandfold() -> None:
    time, pred, data, replicate = example(5)
    edges = time_bins(time, 5)
    pred[np.argmin(time)] = 0.0  # before the first dose
    pred[np.argmax(time)] = 1e-4  # its bin holds 0.1 and more
    result = corrected_vpc(
        time, censored_at(data, -np.inf), np.full(200, -np.inf), replicate, pred, edges
    )
    assert result.refused == (0, 4)
    assert np.isnan(result.observed[:, [0, 4]]).all()
    assert np.isnan(result.simulated[:, :, [0, 4]]).all()
    assert not np.isnan(result.simulated[:, :, 1:4]).any()


def test_a_corrected_blq_value_does_not_pretend_to_be_known() -> None:
    """A corrected limit may rise above corrected data: such percentiles are hidden."""
    pred = np.array([1.0, 1.0, 10.0, 10.0, 10.0])
    data = np.array([1.0, 0.9, 9.0, 11.0, 12.0])
    observed = Observed(data, np.zeros(5), np.array([0, 1, 0, 0, 0]))
    result = corrected_vpc(
        np.zeros(5),
        observed,
        np.full(5, 0.9),
        np.tile(data, (3, 1)),
        pred,
        np.array([0.0]),
    )
    # the BLQ row becomes (-inf, 9]: the median (10, 9, 11, 12 known) is 10 in any case
    assert np.isnan(result.observed[0, 0])
    assert result.observed[1, 0] == 10.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, 7.0, 24.0]), min_size=1, max_size=40),
    st.integers(1, 12),
)
def test_no_bin_is_empty_and_ties_stay_together(times: list[float], count: int) -> None:
    time = np.array(times)
    edges = time_bins(time, count)
    bins = bin_of(time, edges)
    assert set(bins) == set(range(max(len(edges) - 1, 1)))
    assert all(len(set(bins[time == t])) == 1 for t in set(times))


@pytest.mark.parametrize(
    ("samples", "bins"),
    [([10] * 12, 10), ([3] * 60, 9), ([2] * 5, 3), ([40] * 30, 10), ([7, 7, 1], 7)],
)
def test_bins_by_samples_of_a_patient_or_of_all(samples: list[int], bins: int) -> None:
    assert bin_count(np.repeat(np.arange(len(samples)), samples)) == bins


def test_few_distinct_times_are_bins_of_their_own() -> None:
    time = np.repeat([0.0, 1.0, 4.0, 24.0], 5)
    assert len(time_bins(time, 6)) == 5


def test_ranges_and_limits_of_every_censoring_code() -> None:
    observed = Observed(
        np.array([5.0, 1.0, 9.0, 3.0, 0.8]),
        np.array([0.0, 0.0, 0.0, 2.0, 0.0]),
        np.array([0, 1, -1, 2, 0]),
    )
    low, high = true_range(observed)
    np.testing.assert_array_equal(low, [5, -np.inf, 9, 2, 0.8])
    np.testing.assert_array_equal(high, [5, 1, np.inf, 3, 0.8])
    lower, upper = assay_limits(observed, np.zeros(5, int))
    # the last row was quantified below the usual limit: its own must be lower
    np.testing.assert_array_equal(lower, [1, 1, 1, 1, 0.8])
    np.testing.assert_array_equal(upper, [9, 9, 9, 9, 9])
