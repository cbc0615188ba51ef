"""NPDE are standard normal on data simulated from the model, and not otherwise."""

import numpy as np
import pytest
from scipy import stats

from imak_pkpd.check.censoring import Observed
from imak_pkpd.check.npde import npde

SUBJECTS, SAMPLES, REPLICATES = 60, 6, 2000
TIME = np.linspace(0.5, 12, SAMPLES)


def draw(random: np.random.Generator, size: int, scale: float = 1.0) -> np.ndarray:
    """Mono-exponential curves with strong random effects: samples are correlated."""
    rate = 0.2 * np.exp(0.4 * random.normal(size=(size, SUBJECTS, 1)))
    top = scale * 10 * np.exp(0.3 * random.normal(size=(size, SUBJECTS, 1)))
    mean = top * np.exp(-rate * TIME)
    return (mean * np.exp(0.1 * random.normal(size=mean.shape))).reshape(size, -1)


def censor(data: np.ndarray, lloq: float) -> Observed:
    below = data < lloq
    return Observed(
        np.where(below, lloq, data), np.zeros_like(data), below.astype(np.int64)
    )


SUBJECT = np.repeat(np.arange(SUBJECTS), SAMPLES)
OUTPUT = np.zeros(SUBJECTS * SAMPLES, np.int64)


@pytest.mark.parametrize("lloq", [0.0, 1.5])
def test_standard_normal_when_the_model_is_right(lloq: float) -> None:
    random = np.random.default_rng(7)
    values, replicate = draw(random, 1)[0], draw(random, REPLICATES)
    observed = censor(values, lloq)
    assert (observed.censor.mean() > 0.1) == (lloq > 0)
    result = npde(observed, SUBJECT, OUTPUT, replicate, seed=3)
    z = result.value
    assert result.not_run == ()
    # one fixed seed; a level of 0.01 each is missed by one right model in a hundred
    assert stats.kstest(z, "norm").pvalue > 0.01
    # lag-one correlation within subjects: sd 1/sqrt(300); 3 of them
    pairs = z.reshape(SUBJECTS, SAMPLES)
    lag = np.mean(pairs[:, 1:] * pairs[:, :-1])
    assert abs(lag) < 3 / np.sqrt(SUBJECTS * (SAMPLES - 1))


def test_a_wrong_model_is_seen() -> None:
    random = np.random.default_rng(8)
    values = draw(random, 1, scale=1.5)[0]
    result = npde(censor(values, 0), SUBJECT, OUTPUT, draw(random, REPLICATES), seed=3)
    assert stats.kstest(result.value, "norm").pvalue < 1e-4


def test_one_sample_per_subject_is_the_normal_score_of_its_rank() -> None:
    replicate = np.arange(1.0, 11.0)[:, None]
    observed = Observed(np.array([3.5]), np.zeros(1), np.zeros(1, np.int64))
    zero = np.zeros(1, np.int64)
    value = npde(observed, zero, zero, replicate, seed=0).value
    # three of ten replicates lie below
    assert value[0] == pytest.approx(stats.norm.ppf(0.3))
    beyond = Observed(np.array([99.0]), np.zeros(1), np.zeros(1, np.int64))
    value = npde(beyond, zero, zero, replicate, seed=0).value
    assert value[0] == pytest.approx(stats.norm.ppf(1 - 1 / 20))


def test_blq_scores_come_from_the_censored_part_and_from_the_seed() -> None:
    replicate = np.random.default_rng(1).normal(size=(4000, 1))
    observed = Observed(np.array([-1.0]), np.zeros(1), np.ones(1, np.int64))
    zero = np.zeros(1, np.int64)
    drawn = np.array(
        [npde(observed, zero, zero, replicate, seed=s).value[0] for s in range(40)]
    )
    again = npde(observed, zero, zero, replicate, seed=5).value[0]
    assert again == drawn[5]
    # uniform over (0, P(Y <= -1)); 0.03: the share of 4,000 replicates has sd 0.006
    assert drawn.max() < -1.0 + 0.03
    p = stats.norm.cdf(drawn) / stats.norm.cdf(-1.0)
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_too_few_replicates_and_no_spread_are_said() -> None:
    random = np.random.default_rng(2)
    observed = Observed(np.zeros(4), np.zeros(4), np.zeros(4, np.int64))
    subject = np.array([0, 0, 0, 1])
    replicate = random.normal(size=(12, 4))
    result = npde(observed, subject, np.zeros(4, np.int64), replicate, seed=1)
    assert [number for number, _ in result.not_run] == [0]
    assert "12 replicates for 3 samples" in result.not_run[0][1]
    assert np.isnan(result.value[:3]).all()
    assert np.isfinite(result.value[3])
    replicate[:, 3] = 0.0  # before the first dose every replicate is zero
    result = npde(observed, subject, np.zeros(4, np.int64), replicate, seed=1)
    assert np.isnan(result.value[3])


def test_identical_samples_are_refused_not_divided_by_zero() -> None:
    replicate = np.repeat(np.random.default_rng(3).normal(size=(50, 1)), 2, axis=1)
    observed = Observed(np.zeros(2), np.zeros(2), np.zeros(2, np.int64))
    zeros = np.zeros(2, np.int64)
    result = npde(observed, zeros, zeros, replicate, seed=1)
    assert "singular" in result.not_run[0][1]


@pytest.mark.parametrize("cut", [-1, 2])
def test_counts_with_many_ties(cut: int) -> None:
    """Poisson counts of a few, those up to the cut only known to be that few."""
    random = np.random.default_rng(11)
    counts = random.poisson(draw(random, REPLICATES + 1)).astype(float)
    values, replicate = counts[0], counts[1:]
    below = values <= cut
    observed = Observed(
        np.where(below, cut, values), np.zeros_like(values), below.astype(np.int64)
    )
    assert (below.mean() > 0.1) == (cut > 0)
    result = npde(observed, SUBJECT, OUTPUT, replicate, 3, np.array([True]))
    assert np.isfinite(result.value).all()
    assert stats.kstest(result.value, "norm").pvalue > 1e-3
    plain = npde(observed, SUBJECT, OUTPUT, replicate, 3, np.array([False]))
    same = npde(observed, SUBJECT, OUTPUT, replicate, 3)
    np.testing.assert_array_equal(plain.value, same.value)
