"""Groups of a result that belong to patients: data, design, predictions."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from imak_pkpd.fit.curves import curve_group
from imak_pkpd.fit.meshing import Forms
from imak_pkpd.fit.problem import Problem
from imak_pkpd.fit.simulate import Simulator
from imak_pkpd.fit.tree import Group, Variable
from imak_pkpd.solve.mesh import Mesh

DRAW = ("chain", "draw")


def patient_groups(problem: Problem) -> dict[str, Group]:
    """The groups `observed_data` and `constant_data`."""
    return {"observed_data": _observed(problem), "constant_data": _constant(problem)}


def predictive_group(
    problem: Problem,
    forms: Forms,
    mesh: Mesh | None,
    flat: Mapping[str, np.ndarray],
    chains: int,
) -> Group:
    """Predictions and replicates of the data at draws [chain * draw, ...]."""
    simulator = Simulator(problem.spec, problem.model, forms)
    key = jax.random.key(problem.spec.estimation.seed + 1)
    drawn = simulator(flat, problem.schedule, mesh, key)
    rows = {
        name: Variable(
            (*DRAW, "observation"),
            rows_of(problem, v).reshape(chains, len(v) // chains, -1),
        )
        for name, v in drawn.items()
    }
    return {**rows, **curve_group(problem, forms, mesh, flat)}


def rows_of(
    problem: Problem, values: Float[np.ndarray, "draw subject observation"]
) -> Float[np.ndarray, "draw row"]:
    """Real observations only, subject after subject."""
    return values[:, np.asarray(problem.schedule.observations.mask)]


def _observed(problem: Problem) -> Group:
    seen = problem.schedule.observations
    mask = np.asarray(seen.mask)
    subject = np.broadcast_to(np.arange(len(mask))[:, None], mask.shape)
    columns = {
        "dv": seen.value,
        "limit": seen.limit,
        "censor": seen.censor,
        "time": seen.time,
        "time_after_dose": _time_after_dose(problem),
        "subject_index": subject,
        "output_index": seen.output,
    }
    group = _masked("observation", columns, mask)
    blocks = problem.spec.output.values()
    return {
        **group,
        "unit": Variable(("output",), np.array([block.unit for block in blocks])),
        "discrete": Variable(("output",), np.array([int(b.discrete) for b in blocks])),
    }


def _time_after_dose(problem: Problem) -> Float[np.ndarray, "subject observation"]:
    """Time since the last dose record at or before a row; NaN before the first."""
    schedule = problem.schedule
    doses, seen = schedule.doses, schedule.observations
    given = np.asarray(doses.mask & (doses.past == 0))
    gap = np.asarray(seen.clock)[:, :, None] - np.asarray(doses.clock)[:, None, :]
    earlier = given[:, None, :] & (gap >= 0)
    since = np.where(earlier, gap, np.inf).min(-1, initial=np.inf)
    return np.where(np.isfinite(since), since, np.nan)


def _constant(problem: Problem) -> Group:
    """Doses, and covariates by subject."""
    schedule = problem.schedule
    doses = schedule.doses
    given = np.asarray(doses.mask & (doses.past == 0))
    subject = np.broadcast_to(np.arange(len(given))[:, None], given.shape)
    columns = {
        "dose_time": doses.clock,
        "dose_amount": doses.amount,
        "dose_rate": doses.rate,
        "dose_name_index": doses.name,
        "dose_subject_index": subject,
    }
    group = _masked("dose", columns, given)
    first = np.asarray(schedule.covariates.value)[
        np.arange(schedule.subjects), np.asarray(schedule.covariates.setting)[:, 0]
    ]
    for place, name in enumerate(schedule.columns):
        group[name] = Variable(("subject",), first[:, place])
    return group


def _masked(
    dim: str, columns: Mapping[str, Any], mask: np.ndarray
) -> dict[str, Variable]:
    """The real entries of padded columns [subject, ...], subject after subject."""
    return {
        name: Variable((dim,), np.asarray(column)[mask])
        for name, column in columns.items()
    }
