"""The best amounts against linear algebra, paper and differences; their errors."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from imak_pkpd.choice import LimitBlock
from imak_pkpd.decide.designs import Treated
from imak_pkpd.decide.evaluate import Batch, batches, evaluate
from imak_pkpd.decide.optimum import Search, _refuse_no_number, best_amounts
from imak_pkpd.decide.slopes import nobody, slopes
from tests.decide.toy import MODEL, responses, toy, toy_sites

CHOICE = """
[decision]
cohort = "trial"
utility = "gain - 0.25*gain**2 + harm - 0.125*harm**2 - 0.1*gain*harm"
draws = 4
patients = 16
[decision.amount]
a = { low = 0.1, high = 100.0 }
b = { low = 0.1, high = 100.0 }
"""
START = np.array([20.0, 2.0])
Toy = tuple[Treated, list[Batch]]


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    return toy(tmp_path_factory.mktemp("toy"), CHOICE)


def limited(made: Treated, **limits: LimitBlock) -> Treated:
    return replace(made, block=made.block.model_copy(update={"limit": limits}))


def quadratic(some: list[Batch]) -> tuple[np.ndarray, np.ndarray]:
    """The expected utility of these draws and patients is b·d - d·A·d/2."""
    s, r = responses(some)
    both = 0.1 * np.mean(s * r)
    A = np.array([[0.5 * np.mean(s**2), both], [both, 0.25 * np.mean(r**2)]])
    return A, np.array([s.mean(), r.mean()])


def test_inside_bounds_and_limits(toys: Toy) -> None:
    made, some = toys
    A, b = quadratic(some)
    found = best_amounts(made, some, START)
    np.testing.assert_allclose(found.amounts, np.linalg.solve(A, b), rtol=1e-6)
    best = 0.5 * b @ np.linalg.solve(A, b)
    assert found.utility == pytest.approx(best, rel=1e-6)
    assert found.feasible
    assert found.binding == ()


def test_a_limit_that_binds(toys: Toy) -> None:
    """E[gain] <= 0.8 fixes a; b is the best beside it."""
    made, some = toys
    A, b = quadratic(some)
    s, _ = responses(some)
    found = best_amounts(limited(made, gain=LimitBlock(at_most=0.8)), some, START)
    a = 0.8 / s.mean()
    expected = [a, (b[1] - A[0, 1] * a) / A[1, 1]]
    np.testing.assert_allclose(found.amounts, expected, rtol=1e-6)
    assert found.binding == ("gain",)
    assert found.feasible


def test_a_bound_that_binds(toys: Toy) -> None:
    made, some = toys
    A, b = quadratic(some)
    amount = made.block.amount["a"].model_copy(update={"high": 5.0})
    both = {**made.block.amount, "a": amount}
    tight = replace(made, block=made.block.model_copy(update={"amount": both}))
    found = best_amounts(tight, some, np.array([2.0, 2.0]))
    expected = [5.0, (b[1] - A[0, 1] * 5.0) / A[1, 1]]
    np.testing.assert_allclose(found.amounts, expected, rtol=1e-6)
    assert found.amounts_se[0] == 0.0


def test_limits_that_nothing_keeps(toys: Toy) -> None:
    made, some = toys
    found = best_amounts(limited(made, gain=LimitBlock(at_most=1e-4)), some, START)
    assert not found.feasible


def test_who_is_lost_at_one_design_is_left_out_of_all(tmp_path: Path) -> None:
    """gain = sqrt(1 - a s) is no number where a s > 1: those patients are lost."""
    root = MODEL.replace("self.s * state.a", "jnp.sqrt(1.0 - self.s * state.a)")
    made, some = toy(tmp_path, CHOICE, root)
    s, r = responses(some)
    search = Search(made, some, np.array([2.0, 2.0]))

    def expected(a: float, b: float, there: np.ndarray) -> float:
        gain, harm = np.sqrt(np.where(there, 1.0 - a * s, 0.0)), b * r
        every = gain - 0.25 * gain**2 + harm - 0.125 * harm**2 - 0.1 * gain * harm
        return np.mean((every * there).sum(-1) / there.sum(-1))

    low, high = np.log([2.0, 2.0]), np.log([8.0, 2.0])
    all_there, few = np.full(s.shape, True), 8.0 * s < 1.0
    assert 0.5 < few.mean() < 0.95
    for at, who in ((low, all_there), (high, few), (low, few), (high, few)):
        amounts = np.exp(at)
        value = search.aims(at).utility.mean()
        assert value == pytest.approx(expected(*amounts, who), rel=1e-12)
    assert search.evaluations == 3  # the first was forgotten, not the second


def test_slopes_are_differences(toys: Toy) -> None:
    """Of utility and limits, by every amount, on common draws and patients.

    With steps of 1e-4 a central difference errs by 1e-8 of the third derivative.
    """
    limits = {
        "harm": LimitBlock(at_most=1.0),
        "gone": LimitBlock(at_most=0.5, later_than=1.0),
    }
    made, some = limited(toys[0], **limits), toys[1]
    there = lambda amounts: slopes(made, some, amounts, nobody(some)).means  # noqa: E731
    found = there(START)
    for place in range(2):
        step = np.exp(1e-4 * np.eye(2)[place])
        high, low = (there(at) for at in (START * step, START / step))
        for name in ("utility", "limit[harm]", "limit[gone]"):
            difference = (high[name] - low[name]).mean() / 2e-4
            slope = found[f"slope {name}"][:, place].mean()
            assert slope == pytest.approx(difference, rel=1e-5, abs=1e-7), name


def test_gradients_beat_a_grid_of_as_many_evaluations(toys: Toy) -> None:
    made, some = toys
    found = best_amounts(made, some, np.array([3.0, 3.0]))
    # a slope by two amounts counts as three solves of the same patients
    assert 3 * found.evaluations <= 60
    sides = np.geomspace(0.1, 100.0, 8), np.geomspace(0.1, 100.0, 7)
    grid = np.stack(np.meshgrid(*sides), -1).reshape(-1, 2)
    utility = evaluate(made, some, grid).means["utility"].mean((0, 1))
    assert found.utility > utility.max() + 0.01


REPEATS = 200


@pytest.mark.slow  # 200 optima: 30 CPU-s each
@pytest.mark.parametrize("bound", [None, 0.8])
def test_the_error_of_the_optimum_covers_the_truth(
    toys: Toy, bound: float | None
) -> None:
    """On paper E[s^n] is known; 90 % intervals of ten batches, t with 9 degrees."""
    made = toys[0]
    if bound is not None:
        made = limited(made, gain=LimitBlock(at_most=bound))
    s1, s2, r1, r2 = (
        np.exp(n * np.log(median) + n**2 * (omega**2 + 0.1**2) / 2)
        for median, omega in ((0.1, 0.3), (0.2, 0.2))
        for n in (1, 2)
    )
    A = np.array([[0.5 * s2, 0.1 * s1 * r1], [0.1 * s1 * r1, 0.25 * r2]])
    b = np.array([s1, r1])
    best = np.linalg.solve(A, b)
    if bound is not None:
        best[0] = bound / s1
        best[1] = (b[1] - A[0, 1] * best[0]) / A[1, 1]
    true = np.array([*np.log(best), b @ best - 0.5 * best @ A @ best])
    inside = np.zeros(3)
    wide = stats.t.ppf(0.95, made.block.batches - 1)
    for repeat in range(REPEATS):
        block = made.block.model_copy(update={"seed": 1000 * (repeat + 1)})
        again = batches(made, block, toy_sites(seed=repeat))
        found = best_amounts(made, again, best)
        value = np.array([*np.log(found.amounts), found.utility])
        error = np.array([*found.amounts_se, found.utility_se])
        inside += np.abs(value - true) <= wide * error
    low, high = stats.binom.ppf([0.001, 0.999], REPEATS, 0.9)
    assert (inside >= low).all()
    assert (inside <= high).all()


def test_slopes_that_are_no_number_are_refused_with_their_amounts() -> None:
    found = {"utility": np.ones(2), "slope utility": np.array([[1.0], [np.nan]])}
    with pytest.raises(ValueError, match="slope utility is no number at the amounts 3"):
        _refuse_no_number(found, np.array([3.0]))
