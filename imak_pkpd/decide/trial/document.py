"""A trial as tables and as JSON: the same numbers as on the screen."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from imak_pkpd.decide.document import design_range
from imak_pkpd.decide.notice import NOTICE, SYNTHETIC
from imak_pkpd.decide.trial.characteristics import (
    Compared,
    Estimate,
    InArm,
    Spread,
    figures,
    p_values,
)
from imak_pkpd.decide.trial.of_run import TrialOfRun
from imak_pkpd.decide.trial.stated import arm_words, stated
from imak_pkpd.fit.provenance import versions

Row = dict[str, Any]


def frames(made: TrialOfRun) -> dict[str, pd.DataFrame]:
    """`arms`, `comparisons`, `endpoints`, `power` and `trials`, by name of the file."""
    shown = made.shown
    return {
        "arms": pd.DataFrame([_arm(made, each) for each in shown.arms]),
        "comparisons": pd.DataFrame([_compared(each) for each in shown.compared]),
        "endpoints": pd.DataFrame(_endpoints(made)),
        "power": pd.DataFrame(_power(made)),
        "trials": pd.concat(_trials(made), ignore_index=True),
    }


def _arm(made: TrialOfRun, each: InArm) -> Row:
    block = made.trials.block
    return {
        "endpoint": each.endpoint,
        "arm": each.arm,
        "design": arm_words(block.arm[each.arm]),
        "patients": block.size_of(each.arm),
        **_spread("expected", each.expected),
        **_spread("observed", each.observed),
        "dropped": each.dropped,
        "died": each.died,
        "unsolved": made.trials.unsolved[each.arm],
        "extrapolated": ", ".join(made.extrapolated(each.arm)),
    }


def _compared(each: Compared) -> Row:
    return {
        "endpoint": each.endpoint,
        "arm": each.arm,
        "against": each.against,
        **_spread("expected_difference", each.difference),
        **_spread("observed_difference", each.observed),
        "p_better": each.p_better,
        **_estimate("success", each.success),
        "power_sd": each.power_sd,
        **_estimate("success_if_better", each.if_better),
        **_estimate("success_if_not", each.if_not),
    }


def _endpoints(made: TrialOfRun) -> list[Row]:
    none = Estimate(np.nan, np.nan)
    return [
        {
            "endpoint": each.endpoint,
            "alpha": made.trials.block.endpoint[each.endpoint].alpha,
            **_estimate("false_success", each.false_success or none),
            **_estimate("picks_best", each.picks_best or none),
        }
        for each in made.shown.endpoints
    ]


def _power(made: TrialOfRun) -> list[Row]:
    return [
        {
            "endpoint": each.endpoint,
            "arm": each.arm,
            "against": each.against,
            "expected_difference": group.difference,
            **_estimate("success", group.power),
        }
        for each in made.shown.compared
        for group in each.groups
    ]


def _trials(made: TrialOfRun) -> Iterator[pd.DataFrame]:
    """Every trial: what it reports of an arm, and the p-value."""
    block = made.trials.block
    draw, number = np.indices((block.draws, block.repeats)).reshape(2, -1)
    for endpoint in block.endpoint:
        compared = list(block.compared(endpoint))
        for arm in block.arm:
            p = np.full(draw.shape, np.nan)
            if arm in compared:
                p = p_values(made.trials, endpoint, arm).ravel()
            yield pd.DataFrame(
                {
                    "draw": draw,
                    "trial": number,
                    "endpoint": endpoint,
                    "arm": arm,
                    "observed": figures(made.trials, endpoint, arm).ravel(),
                    "p": p,
                }
            )


def document(made: TrialOfRun) -> dict[str, Any]:
    """All of a trial but its single trials; what does not exist is null."""
    tables = {name: _rows(frame) for name, frame in frames(made).items()}
    del tables["trials"]
    return {
        "notice": NOTICE,
        "run": made.run.record.run,
        "fit": str(made.run.spec.path),
        "trial": made.trials.block.model_dump(mode="json", exclude_none=True),
        "stated": list(stated(made)),
        "warnings": list(warnings(made)),
        "doses_seen": {n: design_range(ends) for n, ends in made.seen.items()},
        "population_is_synthetic": made.run.synthetic,
        "time_unit": made.time,
        "solver_error": _number(made.trials.error),
        "all_endpoints": {
            arm: _estimate("success", each) for arm, each in made.shown.together.items()
        },
        **tables,
        "versions": versions(),
    }


def warnings(made: TrialOfRun) -> Iterator[str]:
    """What speaks against the numbers."""
    for arm in made.unsolved:
        share = made.trials.unsolved[arm]
        yield (
            f"arm {arm}: {share:.1%} of the patients could not be solved and are not "
            "counted: do not use these numbers"
        )
    for arm in made.trials.block.arm:
        if names := made.extrapolated(arm):
            yield f"arm {arm} is beyond the doses seen: {', '.join(names)}"
    if made.run.complaint:
        yield f"the run itself: {made.run.complaint}"
    if made.run.synthetic:
        yield SYNTHETIC


def _spread(name: str, each: Spread) -> Row:
    return {name: each.mean, f"{name}_q05": each.low, f"{name}_q95": each.high}


def _estimate(name: str, each: Estimate) -> Row:
    return {name: _number(each.mean), f"{name}_se": _number(each.se)}


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _rows(frame: pd.DataFrame) -> Any:
    return json.loads(frame.to_json(orient="records", double_precision=15))
