"""The 14 exact scenarios of one to three compartments, by every stepper."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from imak_pkpd.data import Dataset
from imak_pkpd.model import parameters
from imak_pkpd.model.load import load_model
from imak_pkpd.solve.stepper import AbstractStepper, Adaptive, Exact, Explicit
from tests.solve.exact import leaves, mesh_of, read_case, schedule_of, worst_errors

KINDS = {
    (1, False): "pk1_iv.py",
    (1, True): "pk1_oral_lag.py",
    (2, False): "pk2_iv.py",
    (2, True): "pk2_oral.py",
    (3, False): "pk3_iv.py",
    (3, True): "pk3_oral.py",
}
ODE = {1: 0.05, 2: 0.025, 3: 0.0125}  # h: sub-steps that reach 1e-6 at these rates


@pytest.fixture(scope="module")
def scenarios(cases: Path) -> Mapping[str, Mapping]:
    text = (cases / "linear-compartments-exact/reference.toml").read_text()
    return tomllib.loads(text)["scenarios"]


@pytest.mark.parametrize(
    ("stepper", "tolerance"),
    [
        pytest.param(Exact(), 1e-9, id="closed form"),
        pytest.param(Explicit(), 1e-6, id="mesh"),
        pytest.param(Adaptive(1e-10, 1e-10), 1e-6, id="adaptive"),
    ],
)
@pytest.mark.parametrize("kind", KINDS, ids=KINDS.values())
def test_every_scenario(
    cases: Path,
    root: Path,
    scenarios: Mapping[str, Mapping],
    kind: tuple[int, bool],
    stepper: AbstractStepper,
    tolerance: float,
) -> None:
    """1e-9 by closed form, 1e-6 by ODE: the limits of the case."""
    model = load_model(root / "models" / KINDS[kind])
    own = {
        name.removeprefix("ID"): s
        for name, s in scenarios.items()
        if (s["compartments"], s["oral"]) == kind
    }
    dataset = _part(cases, own, model.doses)
    inputs = {1: next(iter(model.doses))}
    schedule = schedule_of(dataset, model, inputs)
    step = None if stepper.steps is None else ODE[kind[0]]
    built = model(**leaves(_parameters(model, list(own.values()))))
    mesh = mesh_of(schedule, model, step)
    errors = worst_errors(built, schedule, mesh, stepper)
    assert len(errors) == len(own)
    named = dict(zip(own, errors.values(), strict=True))
    assert {i: e for i, e in named.items() if e > tolerance} == {}


def _part(cases: Path, own: Mapping, doses: Mapping[str, str]) -> Dataset:
    """The rows of some scenarios."""
    others = tuple(str(i) for i in range(1, 15) if str(i) not in own)
    excluded = [{"column": "ID", "equals": others, "reason": "another model"}]
    return read_case(
        cases / "linear-compartments-exact",
        "conc",
        inputs={1: next(iter(doses))},
        exclude=excluded,
    )


def _parameters(model: type, scenarios: list[Mapping]) -> dict[str, np.ndarray]:
    """Parameter values by subject; without a lag or F there is none in the case."""
    absent = {"F": 1.0, "ALAG": 0.0}
    return {
        name: np.array([s.get(name, absent.get(name)) for s in scenarios], float)
        for name in parameters(model)
    }
