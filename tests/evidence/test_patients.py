"""Virtual patients: who they are, and how well few of them stand for all."""

import numpy as np
import pytest

from imak_pkpd.evidence import CohortBlock, drawn_patients, virtual_patients

RAW = {
    "horizon": 30.0,
    "covariate": {
        "WT": {"median": 70.0, "gsd": 1.2},
        "BSA": {"median": 1.8, "along": "WT", "exponent": 0.5},
    },
    "group": {"cd20": {"share": 0.7}, "given": {"share": 0.5, "among": "cd20"}},
    "dose": {
        "cells": {"times": [0.0], "amount": 1e8, "per": "WT", "gsd": 1.5},
        "antibody": {"times": [0.0], "amount": 375.0, "per": "BSA", "group": "given"},
    },
}
COHORT = CohortBlock.model_validate(RAW)


def test_their_columns() -> None:
    """4,096 quasi-random patients: shares and moments to a few parts in a thousand."""
    found = virtual_patients(COHORT, 3, 4096, 1)
    weight = found.columns["WT"]
    assert np.median(weight) == pytest.approx(70.0, rel=5e-3)
    assert np.log(weight).std() == pytest.approx(np.log(1.2), rel=5e-3)
    np.testing.assert_allclose(found.columns["BSA"], 1.8 * (weight / 70.0) ** 0.5)
    assert found.columns["cd20"].mean() == pytest.approx(0.7, abs=5e-3)
    assert found.columns["given"].mean() == pytest.approx(0.35, abs=5e-3)
    assert np.all(found.columns["given"] <= found.columns["cd20"])
    np.testing.assert_allclose(found.normals.mean(0), 0.0, atol=5e-3)
    np.testing.assert_allclose(np.cov(found.normals.T), np.eye(3), atol=0.02)


def test_their_amounts() -> None:
    found = virtual_patients(COHORT, 3, 256, 1)
    own = found.amounts["cells"] / found.columns["WT"]
    assert np.log(own).std() == pytest.approx(np.log(1.5), rel=0.02)
    given = found.columns["given"]
    np.testing.assert_allclose(found.amounts["antibody"], found.columns["BSA"] * given)


def test_points_are_reproducible_and_scrambles_differ() -> None:
    one, again = (virtual_patients(COHORT, 2, 64, 5) for _ in range(2))
    np.testing.assert_array_equal(one.normals, again.normals)
    other = virtual_patients(COHORT, 2, 64, 6)
    assert not np.allclose(one.normals, other.normals)


def test_quasi_random_points_beat_random_ones() -> None:
    """The mean of a smooth outcome: a third of the error of as many random patients."""
    rng, exact = np.random.default_rng(1), np.exp(0.5 * 0.3**2)
    outcome = lambda z: np.exp(0.3 * z[:, 0]).mean() - exact  # noqa: E731
    ours = [
        outcome(virtual_patients(COHORT, 3, 64, seed).normals) for seed in range(30)
    ]
    random = [outcome(rng.standard_normal((64, 3))) for _ in range(30)]
    assert np.sqrt(np.mean(np.square(ours))) < np.std(random) / 3


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"group": {"given": {"share": 0.5, "among": "cd20"}}}, "is not above it"),
        ({"horizon": 0.0}, "not before horizon"),
        ({"group": {"WT": {"share": 0.5}}}, "covariate and a group"),
        (
            {"dose": {"cells": {"times": [0.0], "amount": 1.0, "per": "WGT"}}},
            "did you mean 'WT'",
        ),
        ({"dose": {"cells": {"times": [0.0], "amount": -1.0}}}, "amount"),
    ],
)
def test_a_cohort_that_is_wrong(change: dict, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        CohortBlock.model_validate({**RAW, **change})


def test_nobody_is_in_a_group_without_a_share() -> None:
    """A group that another cohort has: quasi-random points never reach it."""
    cohort = CohortBlock.model_validate(
        {"horizon": 1.0, "group": {"cd20": {"share": 0.0}, "all": {"share": 1.0}}}
    )
    drawn = virtual_patients(cohort, 1, 1024, 1)
    np.testing.assert_array_equal(drawn.columns["cd20"], 0.0)
    np.testing.assert_array_equal(drawn.columns["all"], 1.0)


def test_drawn_patients_differ_from_trial_to_trial_by_chance() -> None:
    """Means of 16 have the variance of 16 independent ones; quasi-random ones do not.

    The SD of an SD of 2000 is 1.6 %; 4 times that.
    """
    rng = np.random.default_rng(1)
    drawn = [drawn_patients(COHORT, 3, 16, rng) for _ in range(2000)]
    means = np.array([each.normals.mean(0) for each in drawn])
    np.testing.assert_allclose(means.std(0), 0.25, rtol=0.065)
    given = np.array([each.columns["given"].mean() for each in drawn])
    assert given.std() == pytest.approx(np.sqrt(0.35 * 0.65 / 16), rel=0.065)
    assert given.mean() == pytest.approx(0.35, abs=4 * given.std() / np.sqrt(2000))
    even = [virtual_patients(COHORT, 3, 16, seed).normals.mean(0) for seed in range(99)]
    assert np.std(even) < 0.1
