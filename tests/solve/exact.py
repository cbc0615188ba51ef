"""Solves a reference case with given parameters and compares with its exact column."""

from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from imak_pkpd.data import DataBlock, Dataset, Expectations, ExpectedOutput
from imak_pkpd.data.read import read_dataset
from imak_pkpd.data.schedule import Schedule, build_schedule
from imak_pkpd.model import AbstractModel
from imak_pkpd.solve.mesh import Mesh, build_mesh, declared_dosing
from imak_pkpd.solve.stepper import AbstractStepper
from imak_pkpd.solve.trajectory import predict

NEAR_ZERO = 1e-6  # the cases' absolute tolerance


def read_case(
    folder: Path, exact: str, extra: tuple[str, ...] = (), **block: object
) -> Dataset:
    """The data of a case; DV is its exact answer."""
    settings = DataBlock.model_validate(
        {"file": "data.csv", "time": "h", "columns": {"DV": exact}, **block}
    )
    modelled = frozenset({"depot", "central"})
    expected = Expectations({"concentration": ExpectedOutput()}, modelled, modelled)
    return read_dataset(settings, folder, extra, expected)


def schedule_of(
    dataset: Dataset,
    model: type[AbstractModel],
    inputs: Mapping[int, str],
    rules: Mapping[str, str] | None = None,
) -> Schedule:
    return build_schedule(dataset, inputs, rules or {}, tuple(model.doses))


def mesh_of(schedule: Schedule, model: type[AbstractModel], step: float | None) -> Mesh:
    """Events only, or sub-steps of the given length."""
    ends = zip(np.asarray(schedule.begin), np.asarray(schedule.end), strict=True)
    extra = [np.arange(begin, end, step) for begin, end in ends] if step else None
    return build_mesh(schedule, declared_dosing(model), extra, steady_steps=256)


def worst_errors(
    model: AbstractModel, schedule: Schedule, mesh: Mesh, stepper: AbstractStepper
) -> dict[str, float]:
    """Worst relative error by subject number; below 1e-6 absolute counts as none."""
    solved = jax.jit(lambda m, s, g: predict(m, s, g, stepper))(model, schedule, mesh)
    assert np.all(np.asarray(solved.status) == 0)
    got = np.asarray(solved.outputs["concentration"])
    want, mask = schedule.observations.value, schedule.observations.mask
    gap = np.abs(got - want)
    relative = np.where(gap <= NEAR_ZERO, 0.0, gap / np.maximum(np.abs(want), 1e-300))
    return {
        i: float(row[m].max())
        for i, (row, m) in enumerate(zip(relative, mask, strict=True))
    }


def leaves(values: Mapping[str, object]) -> dict[str, jax.Array]:
    return {name: jnp.asarray(value, float) for name, value in values.items()}
