"""Prior predictive of a small case, whose every outcome is known by hand."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from imak_pkpd.check.prior_table import Row, conditional, prior_frame, ratio, row_of
from imak_pkpd.estimand import ValueEstimand
from imak_pkpd.fit.prior_predictive import PriorPredictive, prior_predictive
from imak_pkpd.fit.spec import read_fit
from tests.fit.decay import write_decay

MESH = 2e-3  # relative: the cohort's mesh is made for errors of 1e-3 in a step


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> PriorPredictive:
    path = write_decay(tmp_path_factory.mktemp("decay"))
    return prior_predictive(read_fit(path), draws=40)


def test_medians(found: PriorPredictive) -> None:
    """theta at its prior median: the drug left is 8 exp(-k t), k halved in a group."""
    left = found.medians["left"][0]
    assert left.shape == (64,)
    slow = 8 * math.exp(-0.5), 8 * math.exp(-1.0)
    assert set(np.round(left, 2)) == set(np.round(slow, 2))
    np.testing.assert_allclose(found.medians["hurt"], 0.25, rtol=1e-12)
    assert found.drawn["left"].shape == (40, 64)
    assert found.drawn["hurt"].std() > 0.01


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("kept", {8.0}),
        ("slower", {8 * math.exp(-0.25), 8 * math.exp(-0.5)}),
        ("none", {0.0}),
        ("all_slow", {8 * math.exp(-0.5)}),
    ],
)
def test_scenarios(found: PriorPredictive, name: str, values: set[float]) -> None:
    left = found.scenarios[name]["left"][0]
    nearest = [min(values, key=lambda v, x=x: abs(v - x)) for x in left]
    np.testing.assert_allclose(left, nearest, rtol=MESH)


def test_a_scenario_adds_to_each_patient(found: PriorPredictive) -> None:
    more, own = found.scenarios["more"]["b"], found.medians["b"]
    np.testing.assert_allclose(more, own + 1.0, rtol=1e-12)
    distance = (math.log(40.0) - more * math.log(10.0) + 0.2 * 5.0) / 0.5
    np.testing.assert_allclose(
        found.scenarios["more"]["low"], norm.cdf(distance), atol=MESH
    )


def test_rows(found: PriorPredictive) -> None:
    frame = prior_frame(found, size=33).set_index(["part", "where", "estimand"])
    gone = frame.loc[("medians", "", "gone")]
    assert (gone.crossed, gone.not_crossed, gone.never_above) == (1.0, 0.0, 0.0)
    assert gone.q95 == pytest.approx(2 * math.log(8.0) / 0.5, rel=MESH)
    never = frame.loc[("scenario", "none", "gone")]
    assert (never.never_above, never.q50) == (1.0, 0.0)
    kept = frame.loc[("scenario", "kept", "gone")]
    assert (kept.not_crossed, kept.q05) == (1.0, np.inf)
    trials = frame.loc[("trials", "", "hurt")]
    assert trials.trial_q05 < 33 * 0.25 < trials.trial_q95
    assert trials.patients == 40 * 64
    inside = [w for _, w, e in frame.index if e == "low" and w.startswith("b ")]
    assert inside == ["b < 1", "b >= 1, < 2", "b >= 2"] * 2


def test_not_before(found: PriorPredictive) -> None:
    """Against a level drawn with its error for each patient, 2,000 times."""
    row = prior_frame(found, 33).set_index(["part", "where", "estimand"])
    exact = row.loc[("medians", "", "low, not low_before"), "mean"]
    rng = np.random.default_rng(1)
    level = math.log(40.0) + 0.5 * rng.standard_normal((2_000, 1))
    first = found.medians["b"] * math.log(10.0)
    above = first >= level
    later = (first - 1.0 < level) & above
    share = later.sum() / above.sum()
    # 128,000 correlated readings; the levels are shared, hence 2,000 of them
    assert exact == pytest.approx(share, abs=3 * math.sqrt(0.25 / 2_000))


def test_who_is_unsolved_is_counted() -> None:
    block = ValueEstimand(kind="value", output="x", chance=True)
    there = {
        "x": np.array([[0.2, np.nan, 0.4]]),
        "failed": np.array([[False, True, False]]),
    }
    row, _ = row_of(
        "x", block, Row("medians", "", "x", "", 0, 0), there, there["x"] < 9
    )
    assert (row.patients, row.unsolved) == (2, 0)  # a NaN is not inside
    everyone = np.ones((1, 3), bool)
    row, _ = row_of("x", block, Row("medians", "", "x", "", 0, 0), there, everyone)
    assert (row.patients, row.unsolved) == (2, 1)
    assert row.mean == pytest.approx(0.3)
    named = Row("medians", "", "x", "share", 0, 0)
    assert conditional(named, there["x"], 0.5 * there["x"]).unsolved == 1


def test_the_error_of_a_ratio() -> None:
    """Of a mean it is the usual one; over draws it is that of their means."""
    values = np.arange(6.0)[None]
    mean, se = ratio(values, np.ones_like(values))
    assert (mean, se) == pytest.approx((2.5, values.std(ddof=1) / math.sqrt(6)))
    many = np.array([[1.0, 1.0], [3.0, 3.0]])
    assert ratio(many, np.ones_like(many)) == pytest.approx((2.0, 1.0))
