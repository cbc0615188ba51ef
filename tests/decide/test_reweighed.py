"""Other weights of a stored decision against deciding anew with that utility."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imak_pkpd.decide.decision import decide
from imak_pkpd.decide.document import dose_document
from imak_pkpd.decide.reweighed import reweighed
from imak_pkpd.fit.problem import read_model
from imak_pkpd.model import AbstractModel
from tests.decide.toy import toy_sites, toy_spec

DECISION = """
[decision]
cohort = "trial"
utility = "{utility}"
draws = 4
patients = 16
[decision.amount]
a = {{ levels = [2.0, 5.0, 8.0, 14.0, 32.0] }}
[decision.limit]
gain = {{ at_most = {most} }}
"""
SITES = toy_sites(40)


def decided(folder: Path, utility: str, most: float = 10.0) -> dict[str, Any]:
    spec = toy_spec(folder, DECISION.format(utility=utility, most=most))
    model = read_model(spec)
    assert issubclass(model, AbstractModel)
    return dose_document(decide(spec, model, SITES, {"a": None}))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("stored")
    return decided(folder, "gain - (0.25*gain**2 + 0.01*a)")


@pytest.mark.parametrize(
    ("weights", "utility"),
    [
        ((1.0, 1.0, 1.0), "gain - 0.25*gain**2 - 0.01*a"),
        ((2.0, 1.0, 0.0), "2*gain - 0.25*gain**2"),
        ((0.5, 1.5, 1.0), "0.5*gain - 0.375*gain**2 - 0.01*a"),
        ((0.0, 0.0, 1.0), "-0.01*a"),
    ],
)
def test_as_if_decided_with_those_weights(
    stored: dict[str, Any],
    tmp_path: Path,
    weights: tuple[float, ...],
    utility: str,
) -> None:
    """gain**2 is a mean of squares, which no mean of gain would give."""
    found, anew = reweighed(stored, weights), decided(tmp_path, utility)
    expected = [row["utility"] for row in anew["table"]]
    np.testing.assert_allclose(found.utility, expected, rtol=1e-9)
    assert found.best is not None
    assert stored["table"][found.best]["design"] == anew["chosen"]["design"]
    assert found.behind(found.best) == 0.0
    assert found.behind(0) == pytest.approx(max(expected) - expected[0])


def test_weights_move_the_choice(stored: dict[str, Any]) -> None:
    """The test above is not of one choice alone."""
    some = [(2.0, 1.0, 0.0), (0.5, 1.5, 1.0), (1.0, 1.0, 1.0)]
    assert len({reweighed(stored, weights).best for weights in some}) == 3


def test_limits_stay(tmp_path: Path) -> None:
    """What is not admissible is not best under any weights."""
    said = decided(tmp_path, "gain - 0.01*a", most=0.6)
    assert said["table"][2]["why_not"] == "gain"
    assert reweighed(said, (100.0, 1.0)).best == 1
    never = decided(tmp_path, "gain - 0.01*a", most=0.01)
    assert reweighed(never, (1.0, 1.0)).best is None
    assert np.isnan(reweighed(never, (1.0, 1.0)).behind(0))


def test_an_older_document_is_refused(stored: dict[str, Any]) -> None:
    old = {key: value for key, value in stored.items() if key != "utility_terms"}
    with pytest.raises(ValueError, match="stored without the summands"):
        reweighed(old, (1.0, 1.0, 1.0))
