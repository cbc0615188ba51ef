"""The guess from the table alone, where curves through designs are known on paper."""

from collections.abc import Mapping

import numpy as np
import pytest

from imak_pkpd.choice import DecisionBlock
from imak_pkpd.decide.designs import Layout, shown_amounts
from imak_pkpd.decide.evaluate import Evaluated
from imak_pkpd.decide.first_guess import first_guess

LEVELS = (1.0, 3.0)


def block(points: int, **limits: float) -> DecisionBlock:
    """Of a and c between 1 and 100, and of b at two levels."""
    between = {"low": 1.0, "high": 100.0, "points": points}
    return DecisionBlock.model_validate(
        {
            "cohort": "trial",
            "utility": "gain",
            "amount": {"a": between, "b": {"levels": list(LEVELS)}, "c": between},
            "limit": {name: {"at_most": most} for name, most in limits.items()},
        }
    )


def table(choice: DecisionBlock, means: Mapping[str, np.ndarray]) -> Evaluated:
    """Two batches of three draws around these means by design."""
    off = np.array([-0.5, 0.5, 0.0])[None, :, None] * np.ones((2, 1, 1))
    rows = {name: mean + off for name, mean in means.items()}
    return Evaluated(Layout({}, {}), shown_amounts(choice), rows, {})


def utility(amounts: np.ndarray) -> np.ndarray:
    """Best at ln a = 2 and ln c = 3 + ln b: what b is matters."""
    a, b, c = np.log(amounts).T
    return -((a - 2.0) ** 2) - (c - 3.0 - b) ** 2


@pytest.mark.parametrize("level", LEVELS)
def test_a_smooth_optimum_between_designs(level: float) -> None:
    """A monotone cubic is highest at a design: half a space off at most."""
    choice = block(9)
    made = table(choice, {"utility": utility(shown_amounts(choice))})
    found = first_guess(choice, made, np.array([1.0, level, 1.0]))
    assert found[1] == level
    wanted = np.log([7.389, 20.086 * level])
    np.testing.assert_allclose(np.log(found[[0, 2]]), wanted, atol=0.29)


def test_a_limit_is_met_where_the_curve_meets_it() -> None:
    """A straight line is kept exactly: ln a is at most 1."""
    choice = block(9, harm=1.0)
    shown = shown_amounts(choice)
    means = {"utility": utility(shown), "limit[harm]": np.log(shown[:, 0])}
    found = first_guess(choice, table(choice, means), np.array([1.0, 1.0, 1.0]))
    assert np.log(found[0]) == pytest.approx(1.0, abs=1e-6)


def test_few_designs_say_nothing_between() -> None:
    choice = block(3)
    made = table(choice, {"utility": utility(shown_amounts(choice))})
    start = np.array([10.0, 3.0, 10.0])
    assert (first_guess(choice, made, start) == start).all()
