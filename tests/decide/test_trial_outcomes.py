"""Losses, endpoints and tests on made-up patients, against closed forms and SciPy."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from imak_pkpd.choice import DeathBlock, DropoutBlock, EndpointBlock, TrialBlock
from imak_pkpd.decide.trial.characteristics import (
    Compared,
    characteristics,
    estimate,
    power_sd,
)
from imak_pkpd.decide.trial.comparison import Means, Proportions, Sample, Survival
from imak_pkpd.decide.trial.endpoint import Endpoint
from imak_pkpd.decide.trial.losses import Mortality, losses, mortality
from imak_pkpd.decide.trial.simulate import InTrials, Trials
from imak_pkpd.estimand import Outcome
from imak_pkpd.fit.arm import Kind

MANY = 200_000
DROPOUT = DropoutBlock(share=0.2, by=4.0)
DEATH = DeathBlock(share=0.3, by=4.0)
LARGEST_SD = {Kind.yes_no: 0.6, Kind.number: 1.2, Kind.time: 1.5}  # of one patient
LEFT, DIED = -np.log(0.8) / 4.0, -np.log(0.7) / 4.0  # hazards


def patients(seed: int = 1) -> dict[str, np.ndarray]:
    """A chance, a number, and a crossing that comes, never comes, or is not needed."""
    rng = np.random.default_rng(seed)
    outcome = rng.choice([*Outcome], MANY, p=[0.1, 0.6, 0.3])
    time = np.where(outcome == Outcome.crossed, rng.uniform(0.0, 6.0, MANY), np.nan)
    return {
        "failed": np.zeros(MANY, bool),
        "chance": rng.beta(2.0, 3.0, MANY),
        "number": rng.normal(3.0, 1.0, MANY),
        "crossing": time,
        "crossing_outcome": outcome,
    }


def endpoint(of: str, kind: Kind, **said: object) -> Endpoint:
    block = EndpointBlock.model_validate({"of": of, **said})
    return Endpoint(block, kind, start=1.0, at=3.0)


def close(found: float, exact: float, sd: float) -> None:
    """Within 5 Monte Carlo errors of a mean of all patients."""
    assert abs(found - exact) < 5 * sd / np.sqrt(MANY)


def test_shares_of_the_lost_are_those_of_competing_exponentials() -> None:
    """Seen at 4: who leave first, and who die first."""
    values = patients()
    deaths = mortality(DEATH, values, 0.0, MANY)
    gone = losses(DROPOUT, deaths, np.random.default_rng(2))
    seen = endpoint("chance", Kind.yes_no).seen(values, gone, np.full(MANY, 0.5))
    both = -np.expm1(-4.0 * (LEFT + DIED))
    for found, hazard in ((seen.dropped, LEFT), (seen.died, DIED)):
        close(found.mean(), both * hazard / (LEFT + DIED), 0.5)
    nobody = losses(None, mortality(None, values, 0.0, MANY), np.random.default_rng(2))
    assert np.isinf(nobody.time).all()
    alone = losses(
        DROPOUT, mortality(None, values, 0.0, MANY), np.random.default_rng(2)
    )
    np.testing.assert_array_equal(alone.left, gone.left)


@pytest.mark.parametrize(
    ("better", "dropout", "death", "exact"),
    [
        ("more", "failure", "failure", lambda stay, left, died: 0.4 * stay),
        (
            "less",
            "failure",
            "failure",
            lambda stay, left, died: 0.4 * stay + left + died,
        ),
        (
            "more",
            "left_out",
            "failure",
            lambda stay, left, died: 0.4 * stay / (stay + died),
        ),
        (
            "more",
            "failure",
            "left_out",
            lambda stay, left, died: 0.4 * stay / (stay + left),
        ),
        ("less", "left_out", "left_out", lambda stay, left, died: 0.4),
    ],
)
def test_who_is_missing_counts_as_stated(
    better: str, dropout: str, death: str, exact: object
) -> None:
    """The mean of a Beta(2, 3) is 0.4; losses have nothing to do with it."""
    values = patients()
    rng = np.random.default_rng(4)
    gone = losses(DROPOUT, mortality(DEATH, values, 0.0, MANY), rng)
    made = endpoint("chance", Kind.yes_no, better=better, dropout=dropout, death=death)
    seen = made.seen(values, gone, rng.random(MANY)).value
    stay = np.exp(-4.0 * (LEFT + DIED))
    left, died = ((1 - stay) * h / (LEFT + DIED) for h in (LEFT, DIED))
    # of yes and no 0.5; a little more where few are left
    close(np.nanmean(seen), exact(stay, left, died), 0.7)  # type: ignore[operator]


@pytest.mark.parametrize("death", ["failure", "left_out"])
@pytest.mark.parametrize("better", ["more", "less"])
@pytest.mark.parametrize(
    ("of", "kind"),
    [
        ("chance", Kind.yes_no),
        ("number", Kind.number),
        ("crossing", Kind.time),
        ("crossing", Kind.yes_no),
    ],
)
@pytest.mark.parametrize(
    "deaths",
    [DEATH, DeathBlock(of="chance", by=9.0), DeathBlock(of="crossing")],
    ids=["rate", "chance", "crossing"],
)
def test_what_is_expected_is_what_many_patients_give(
    of: str, kind: Kind, better: str, death: str, deaths: DeathBlock
) -> None:
    """Without dropout; a death with the crossing itself says nothing when left out."""
    if kind is Kind.number:
        death = "left_out"
    if kind is Kind.time and death == "left_out" and deaths is not DEATH:
        death = "failure"  # such deaths censor those who would have crossed soon
    values = patients()
    own = mortality(deaths, values, 2.0, MANY)
    rng = np.random.default_rng(6)
    gone = losses(None, own, rng)
    made = endpoint(of, kind, better=better, death=death)
    seen = made.seen(values, gone, rng.random(MANY))
    if kind is Kind.time:
        figure = Survival(True, 3.0).figure(Sample(seen.value[None], seen.event[None]))
        found = float(figure[0])
    else:
        found = float(np.nanmean(seen.value))
    close(found, made.expected(values, own), LARGEST_SD[kind])


def test_who_is_not_solved_does_not_count() -> None:
    values = patients()
    values["failed"][:7] = True
    gone = losses(DROPOUT, mortality(None, values, 0.0, MANY), np.random.default_rng(8))
    seen = endpoint("number", Kind.number, dropout="left_out").seen(
        values, gone, np.full(MANY, 0.5)
    )
    assert np.isnan(seen.value[:7]).all()
    assert not seen.dropped[:7].any()
    assert not seen.event[:7].any()
    assert np.isnan(seen.value).sum() == 7 + seen.dropped.sum()


def sample(rng: np.random.Generator, trials: int, size: int, mean: float) -> Sample:
    """Numbers of which a few are missing; none is censored."""
    value = rng.normal(mean, 1.0, (trials, size))
    value[rng.random(value.shape) < 0.1] = np.nan
    return Sample(value, np.ones(value.shape, bool))


def test_means_are_compared_as_scipy_does() -> None:
    rng = np.random.default_rng(9)
    here, there = sample(rng, 30, 12, 0.5), sample(rng, 30, 15, 0.0)
    for more, side in ((True, "greater"), (False, "less")):
        settings_of = {"axis": 1, "nan_policy": "omit", "alternative": side}
        test = stats.ttest_ind(here.value, there.value, equal_var=False, **settings_of)
        np.testing.assert_allclose(Means(more).p_value(here, there), test.pvalue)
        alone = stats.ttest_1samp(here.value, 0.2, **settings_of)
        np.testing.assert_allclose(Means(more).p_against(here, 0.2), alone.pvalue)


def test_shares_are_compared_as_scipy_does() -> None:
    rng = np.random.default_rng(10)
    here, there = (
        each._replace(value=np.where(np.isnan(each.value), np.nan, each.value > 0))
        for each in (sample(rng, 30, 12, 0.5), sample(rng, 30, 15, 0.0))
    )
    for more, side in ((True, "greater"), (False, "less")):
        counts = [
            [[np.nansum(v), np.sum(v == 0)] for v in pair]
            for pair in zip(here.value, there.value, strict=True)
        ]
        exact = [stats.fisher_exact(table, alternative=side).pvalue for table in counts]
        found = Proportions(more).p_value(here, there)
        np.testing.assert_allclose(found, exact)
        alone = [
            stats.binomtest(int(yes), int(yes + no), 0.4, alternative=side).pvalue
            for (yes, no), _ in counts
        ]
        np.testing.assert_allclose(Proportions(more).p_against(here, 0.4), alone)


def test_times_are_compared_as_scipy_does() -> None:
    """The area under the empirical survival function, with ties and censored times."""
    rng = np.random.default_rng(11)
    value = np.round(rng.exponential(2.0, (20, 30)), 1).clip(0.0, 4.0)
    event = (rng.random(value.shape) < 0.7) & (value < 4.0)
    value[:, -3:], event[:, -3:] = np.nan, False
    found = Survival(True, 4.0).figure(Sample(value, event))
    grid = np.linspace(0.0, 4.0, 40_001)
    for row, times, seen in zip(found, value[:, :-3], event[:, :-3], strict=True):
        known = stats.CensoredData.right_censored(times, ~seen)
        curve = stats.ecdf(known).sf.evaluate(grid)
        assert row == pytest.approx(np.mean(curve[:-1]) * 4.0, abs=2e-3)


@pytest.mark.parametrize("more", [True, False])
def test_a_longer_time_is_better_or_worse(more: bool) -> None:
    """Exponential times of twice the mean: the test sees it on the right side."""
    rng = np.random.default_rng(12)
    short, long = (rng.exponential(m, (50, 60)).clip(0.0, 4.0) for m in (1.0, 2.0))
    here, there = (Sample(each, each < 4.0) for each in (long, short))
    p = Survival(more, 4.0).p_value(here, there)
    assert (np.mean(p <= 0.025) > 0.8) if more else (np.min(p) > 0.3)
    nobody = Sample(np.full((2, 5), np.nan), np.zeros((2, 5), bool))
    assert (Survival(more, 4.0).p_value(nobody, nobody) == 1.0).all()


@pytest.mark.parametrize("how", [Proportions(True), Means(True), Survival(True, 4.0)])
def test_without_anybody_there_is_no_success(how: Proportions) -> None:
    nobody = Sample(np.full((2, 5), np.nan), np.zeros((2, 5), bool))
    assert (how.p_value(nobody, nobody) == 1.0).all()
    assert np.isnan(how.figure(nobody)).all()


def test_the_error_is_that_of_draws() -> None:
    """Trials at a draw are alike: 400 repeats of 40 draws spread as is said."""
    rng = np.random.default_rng(13)
    chance = rng.beta(1.0, 1.0, (400, 40, 1))
    passed = rng.random((400, 40, 10)) < chance
    said = [estimate(each).se for each in passed]
    spread = np.std(passed.mean((1, 2)), ddof=1)
    assert np.mean(said) == pytest.approx(spread, rel=0.14)  # 4 errors of an SD of 400
    naive = np.sqrt(0.25 / 400)  # as if the trials had nothing in common
    assert spread > 1.5 * naive


def test_the_spread_of_the_power_is_free_of_chance() -> None:
    rng = np.random.default_rng(14)
    passed = rng.random((20_000, 3)) < rng.beta(2.0, 2.0, (20_000, 1))
    assert power_sd(passed) == pytest.approx(stats.beta(2.0, 2.0).std(), abs=0.01)


def made_up(order: tuple[str, ...], seed: int) -> Trials:
    """Trials of three arms whose numbers hang on their names alone."""
    block = TrialBlock.model_validate(
        {
            "cohort": "trial",
            "size": 8,
            "draws": 12,
            "repeats": 3,
            "arm": {name: {} for name in order},
            "endpoint": {"yes": {"of": "yes", "against": "a"}},
        }
    )

    def arm(name: str) -> InTrials:
        rng = np.random.default_rng([seed, ord(name)])
        value = (rng.random((12, 3, 8)) < rng.random()).astype(float)
        lost = rng.random((2, 12))
        return InTrials(Sample(value, np.ones(value.shape, bool)), *lost)

    def true(name: str) -> np.ndarray:
        return np.random.default_rng([seed, ord(name), 1]).random(12)

    same: Mapping[str, Endpoint] = dict.fromkeys(
        order, Endpoint(block.endpoint["yes"], Kind.yes_no, 0.0, 1.0)
    )
    return Trials(
        block,
        {"yes": same},
        {"yes": {name: arm(name) for name in order}},
        {"yes": arm("z")},
        {"yes": {name: true(name) for name in order}},
        dict.fromkeys(order, 0.0),
        0.0,
    )


@settings(max_examples=30, deadline=None)
@given(order=st.permutations("abc"), seed=st.integers(0, 1000))
def test_relabelled_arms_permute_the_table(order: list[str], seed: int) -> None:
    usual, other = (
        characteristics(made_up(each, seed)) for each in (("a", "b", "c"), tuple(order))
    )
    assert [each.arm for each in other.arms] == order
    for rows, others in ((usual.arms, other.arms), (usual.compared, other.compared)):
        by_arm = {each.arm: repr(each) for each in rows}
        assert {each.arm: repr(each) for each in others} == by_arm
    assert usual.endpoints == other.endpoints
    assert all(isinstance(each, Compared) for each in usual.compared)


def test_the_mean_time_alive_is_its_integral() -> None:
    """Of exponential deaths, of certain ones, and of nobody."""
    deaths = Mortality(np.array([0.3, 0.0, 0.3, 0.0]), np.array([np.inf, 2, 2, np.inf]))
    grid = 1.0 + (np.arange(400_000) + 0.5) * 1e-5  # 4 time units from 1 on
    exact = [
        np.mean(np.where(at >= grid, np.exp(-rate * grid), 0.0)) * 4.0
        for rate, at in zip(*deaths, strict=True)
    ]
    np.testing.assert_allclose(
        deaths.restricted(np.full(4, 4.0), 1.0), exact, rtol=1e-5
    )
