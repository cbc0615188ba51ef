"""Synthetic patients until their events: when one falls, and what is recorded then.

`event_times`  TIME of an event in each window, by the inverse of the cumulative hazard
`followed`     the rows of a patient file as they are when follow-up ends at an event
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, PRNGKeyArray

from imak_pkpd.data.schedule import Schedule
from imak_pkpd.fit.simulate import Simulator
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.observe import of_rows
from imak_pkpd.solve.mesh import Mesh
from imak_pkpd.solve.window import row_before, time_at_area

TIME_DIGITS = 6  # significant ones of an event's TIME, as many as the file has

Rows = Float[np.ndarray, "subject observation"]
Samples = Float[np.ndarray, " sample"]


def event_times(
    simulator: Simulator,
    sites: Mapping[str, Array],
    schedule: Schedule,
    mesh: Mesh,
    key: PRNGKeyArray,
) -> Rows:
    """When the event of each row's output falls, if it does between the row before
    (else the first record) and the row; rows of other outputs give no meaning.

    Given that it falls there, 1 - exp(-H) is uniform up to that of the whole window.
    """
    curves, areas = simulator.hazards(sites, schedule, mesh)
    seen = schedule.observations
    places = {n: i for i, n in enumerate(simulator.spec.output) if n in curves}
    own = {places[name]: area for name, area in areas.items()}
    area = of_rows(own, jnp.asarray(seen.output))
    part = jax.random.uniform(key, area.shape)
    amount = -jnp.log1p(part * jnp.expm1(-area))
    before = jax.vmap(row_before)(seen)
    clock, begin = jnp.asarray(seen.clock), jnp.asarray(schedule.begin)[:, None]
    start = jnp.where(before < 0, begin, jnp.take_along_axis(clock, before, 1))
    every_row = jax.vmap(jax.vmap(time_at_area, (None, 0, 0)))
    times = {places[n]: every_row(curve, start, amount) for n, curve in curves.items()}
    found = np.asarray(of_rows(times, jnp.asarray(seen.output)))
    return np.clip(_rounded(found), np.asarray(start), np.asarray(clock))


def _rounded(times: Rows) -> Rows:
    return np.vectorize(lambda t: float(f"{t:.{TIME_DIGITS}g}"))(times)


def followed(spec: FitSpec, rows: pd.DataFrame, times: Samples) -> pd.DataFrame:
    """The rows of a cohort with its events, patients in order.

    `times` by sample is when its event falls. An exact event ends what is known of all
    events, as death does: its row moves to its time, and the other exact ones have a
    row with DV = 0 there (competing risks). One that is found between two visits ends
    its own rows alone. Samples of what is measured stay.
    """
    column = np.full(len(rows), np.nan)
    column[rows["EVID"] == 0] = times
    moved = rows.assign(_EVENT=np.where(rows["DV"] == 1, column, np.inf))
    each = [_patient(spec, own) for _, own in moved.groupby("ID", sort=False)]
    return pd.concat(each, ignore_index=True).drop(columns="_EVENT")


def _patient(spec: FitSpec, rows: pd.DataFrame) -> pd.DataFrame:
    """One patient's rows in order of TIME."""
    exact, interval = (_rows_of(spec, rows, kind) for kind in ("exact", "interval"))
    end = float(rows["_EVENT"].where(exact, np.inf).min())
    due = exact & (rows["TIME"] >= end)
    last = due & ~rows["DVID"].where(due).duplicated()
    late = (due & ~last) | (interval & (rows["TIME"] >= end))
    first = (rows["_EVENT"] == end).astype(float)
    kept = rows.assign(
        TIME=rows["TIME"].mask(last, end), DV=rows["DV"].mask(last, first)
    )[~late & ~((exact | interval) & rows["DV"].isna() & ~last)]
    return kept.sort_values("TIME", kind="stable")


def _rows_of(spec: FitSpec, rows: pd.DataFrame, kind: str) -> pd.Series:
    """The rows of the events whose time is known in this way."""
    blocks = (b for b in spec.output.values() if b.timed and b.event == kind)
    return (rows["EVID"] == 0) & rows["DVID"].isin([b.dvid or 1 for b in blocks])
