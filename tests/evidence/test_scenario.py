"""[scenario.NAME]: what it takes, what it refuses, and what it makes of a value."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import ValidationError

from imak_pkpd.evidence import CohortBlock, ScenarioBlock, virtual_patients

GROUPS = {"a": {"share": 0.5}, "b": {"share": 0.5, "among": "a"}}


def scenario(**said: Any) -> ScenarioBlock:
    return ScenarioBlock.model_validate(said)


def test_values() -> None:
    block = scenario(set={"x": 0.0}, times={"y": 3.0}, add={"z": -1.0})
    own = jnp.asarray([1.0, 2.0])
    assert block.value("x", own).tolist() == [0.0, 0.0]
    assert block.value("y", own).tolist() == [3.0, 6.0]
    assert block.value("z", own).tolist() == [0.0, 1.0]
    assert block.value("other", own).tolist() == [1.0, 2.0]
    assert block.parameters == ("x", "y", "z")


def test_shares_move_thresholds_only() -> None:
    """Who was in a group stays in it when its share grows; 0 and 1 are allowed."""
    cohort = CohortBlock.model_validate({"horizon": 1.0, "group": GROUPS})
    before = virtual_patients(cohort, 2, 64, 1)
    design = scenario(share={"a": 1.0, "b": 0.0}).design(cohort)
    after = virtual_patients(design, 2, 64, 1)
    assert after.columns["a"].min() == 1.0
    assert after.columns["b"].max() == 0.0
    np.testing.assert_array_equal(before.normals, after.normals)
    larger = virtual_patients(scenario(share={"a": 0.8}).design(cohort), 2, 64, 1)
    assert np.all(larger.columns["a"] >= before.columns["a"])


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({}, "nothing is otherwise"),
        ({"title": "x"}, "nothing is otherwise"),
        ({"set": {"x": 1.0}, "times": {"x": 2.0}}, "'x' is changed twice"),
        ({"times": {"x": 0.0}}, "greater than 0"),
        ({"amounts": {"x": -1.0}}, "greater than or equal to 0"),
        ({"share": {"x": 1.5}}, "less than or equal to 1"),
        ({"set": {"x": float("nan")}}, "finite"),
        ({"dose": {"x": 1.0}}, "Extra inputs"),
    ],
)
def test_refused(said: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        scenario(**said)


def test_strata_rise() -> None:
    with pytest.raises(ValidationError, match="cuts that rise"):
        CohortBlock.model_validate({"horizon": 1.0, "strata": {"x": [2.0, 1.0]}})
