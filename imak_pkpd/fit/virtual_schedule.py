"""The schedule of virtual patients: everybody at the same times, with own amounts."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from imak_pkpd.data import DataBlock, read_dataset, refuse_errors
from imak_pkpd.data.block import CarryRule
from imak_pkpd.data.schedule import Schedule, build_schedule
from imak_pkpd.evidence import CohortBlock, VirtualPatients
from imak_pkpd.model import AbstractModel


def schedule_of(
    block: CohortBlock, model: type[AbstractModel], who: VirtualPatients
) -> Schedule:
    """The design as a patient file, read as any other.

    Who is not given a dose gets nothing of it at its time: all rows but those of
    amounts and covariates are alike.
    """
    numbers = {name: place for place, name in enumerate(model.doses, 1)}
    rows = [
        row
        for patient in range(len(who.normals))
        for row in _records(block, who, numbers, patient)
    ]
    carried: dict[str, CarryRule] = dict.fromkeys(block.columns, "constant")
    inputs = {place: name for name, place in numbers.items()}
    reading = DataBlock(
        file=Path("virtual.csv"), time=model.time, inputs=inputs, covariates=carried
    )
    with TemporaryDirectory() as folder:
        pd.DataFrame(rows).to_csv(Path(folder) / "virtual.csv", index=False, na_rep=".")
        dataset = refuse_errors(read_dataset(reading, Path(folder), (), None))
    made = build_schedule(dataset, inputs, reading.covariates, tuple(model.doses))
    return jax.tree.map(np.asarray, given_to(made, who))


def given_to(schedule: Schedule, who: VirtualPatients) -> Schedule:
    """The schedule with the amounts and covariates of as many other patients."""
    made = schedule
    if schedule.dose_names:
        made = eqx.tree_at(lambda s: s.doses.amount, schedule, _amounts(schedule, who))
    if not schedule.columns:
        return made
    column = jnp.stack([jnp.asarray(who.columns[n]) for n in schedule.columns], -1)
    value = jnp.broadcast_to(column[:, None], schedule.covariates.value.shape)
    return eqx.tree_at(lambda s: s.covariates.value, made, value)


def _amounts(schedule: Schedule, who: VirtualPatients) -> Float[Array, "subject dose"]:
    """What everybody gets at every place of the schedule, of a design amount of 1."""
    nobody = jnp.zeros(schedule.subjects)
    own = [jnp.asarray(who.amounts.get(n, nobody)) for n in schedule.dose_names]
    named = jnp.asarray(schedule.doses.name)
    given = jnp.take_along_axis(jnp.stack(own, -1), named, axis=1)
    return jnp.where(jnp.asarray(schedule.doses.mask), given, 0.0)


def _records(
    block: CohortBlock, who: VirtualPatients, numbers: Mapping[str, int], patient: int
) -> Iterator[dict[str, float]]:
    """Doses in order of time, then one record at the horizon, which ends the solve."""
    own = {name: float(column[patient]) for name, column in who.columns.items()}
    given = sorted(
        (time, numbers[name])
        for name, dose in block.dose.items()
        for time in dose.times
    )
    for time, number in given:
        yield {
            **{"ID": patient + 1, "TIME": time, "EVID": 1, "AMT": 1.0},
            **{"CMT": number, "DVID": np.nan, "DV": np.nan, **own},
        }
    yield {
        **{"ID": patient + 1, "TIME": block.horizon, "EVID": 0, "AMT": np.nan},
        **{"CMT": np.nan, "DVID": 1, "DV": 1.0, **own},
    }
