"""Tables of forecasts: estimands, parameters, courses, and how they were found.

Medians with central 50 % and 90 % intervals. Of a crossing there are the chances of
its three outcomes, and the time only where it crosses: never a clipped number.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from imak_pkpd.decide.forecast import Forecast, Forecasts
from imak_pkpd.estimand import Outcome
from imak_pkpd.model import parameters

LEVELS = {"median": 0.5, "q25": 0.25, "q75": 0.75, "q05": 0.05, "q95": 0.95}
CROSSING_TIMES = 29  # twice a day in two weeks
CHANCES = tuple(outcome.name for outcome in Outcome)

Row = dict[str, Any]


def tables(made: Forecasts) -> dict[str, pd.DataFrame]:
    """All tables by name, rows patient after patient."""
    rows = {
        "estimands": estimand_rows,
        "crossings": crossing_rows,
        "parameters": parameter_rows,
        "course": course_rows,
        "sampling": sampling_rows,
    }
    return {
        name: pd.DataFrame(
            [
                {"patient": each.name, **row}
                for each in made.patients
                for row in of_patient(each)
            ]
        )
        for name, of_patient in rows.items()
    }


def estimand_rows(made: Forecast) -> Iterator[Row]:
    """One row per estimand.

    `mean` is the probability where the estimand is a chance; the chances of a crossing
    have `se`, their largest Monte Carlo error.
    """
    problem = made.ahead.problem
    units = {**problem.model.outputs, "time": problem.model.time}
    effective = made.posterior.sampling.effective_draws
    for name, block in problem.spec.estimand.items():
        if name not in made.estimands:
            continue
        values, outcome = made.estimands[name], made.estimands.get(f"{name}_outcome")
        solved = np.isfinite(values) if outcome is None else outcome >= 0
        yield {
            "estimand": name,
            "definition": block.definition(units),
            "chance": block.is_chance,
            "mean": _mean(values) if outcome is None else np.nan,
            **_quantiles(values),
            **_chances(outcome, effective),
            "unsolved": int((~solved).sum()),
        }


def crossing_rows(made: Forecast) -> Iterator[Row]:
    """P(not crossed by a time) for every crossing, at times after its start.

    Of the solved draws; one that was never above the limit is not waiting to cross.
    """
    for name in made.ahead.problem.spec.estimand:
        outcome = made.estimands.get(f"{name}_outcome")
        if outcome is None or not (outcome >= 0).any():
            continue
        end = made.ahead.problem.spec.estimand[name].window or 0.0
        when = np.where(outcome == Outcome.not_crossed, np.inf, made.estimands[name])
        for time in np.linspace(0.0, end, CROSSING_TIMES):
            later = (outcome > Outcome.never_above) & (when > time)
            share = float(later[outcome >= 0].mean())
            yield {"estimand": name, "time": float(time), "not_crossed": share}


def parameter_rows(made: Forecast) -> Iterator[Row]:
    """Parameters that differ between patients, before and after the samples."""
    info = parameters(made.ahead.problem.model)
    for name, values in made.parameters.items():
        before = _quantiles(made.before[name])
        yield {
            "parameter": name,
            "unit": info[name].unit,
            **_quantiles(values),
            **{f"before_{level}": value for level, value in before.items()},
        }


def course_rows(made: Forecast) -> Iterator[Row]:
    """Every output of the model at every point after the last record."""
    units = made.ahead.problem.model.outputs
    for name, values in made.course.items():
        for point, time in enumerate(made.time):
            yield {
                "output": name,
                "unit": units[name],
                "time": float(time),
                **_quantiles(values[:, point]),
            }


def sampling_rows(made: Forecast) -> Iterator[Row]:
    """How the posterior was found, in one row."""
    said = made.posterior.sampling.to_dict()
    normal, certificate = said.pop("normal") or {}, said.pop("certificate") or {}
    yield {
        **said,
        "normal_distance": normal.get("distance", np.nan),
        "solver_error": certificate.get("p99", np.nan),
    }


def _quantiles(values: Float[np.ndarray, " draw"]) -> dict[str, float]:
    """Of the draws that have a number; NaN where none has."""
    there = values[~np.isnan(values)]
    if len(there) == 0:
        return dict.fromkeys(LEVELS, np.nan)
    found = np.quantile(there, list(LEVELS.values()))
    return dict(zip(LEVELS, map(float, found), strict=True))


def _mean(values: Float[np.ndarray, " draw"]) -> float:
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else np.nan


def _chances(outcome: np.ndarray | None, effective: float) -> Mapping[str, float]:
    """The share of each outcome among the solved draws; NaN for no crossing."""
    if outcome is None or not (outcome >= 0).any():
        return dict.fromkeys((*CHANCES, "se"), np.nan)
    solved = outcome[outcome >= 0]
    shares = {each.name: float((solved == each).mean()) for each in Outcome}
    # one more draw with and one without: none of 1,000 draws is not "never"
    near = [(share * effective + 1) / (effective + 2) for share in shares.values()]
    spread = max(share * (1 - share) for share in near)
    return {**shares, "se": float(np.sqrt(spread / effective))}
