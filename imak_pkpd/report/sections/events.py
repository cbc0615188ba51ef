"""Times to an event: how many there were, and how many the hazards expect."""

from collections.abc import Iterator

import numpy as np

from imak_pkpd.report.blocks import Block, NotRun, Table
from imak_pkpd.report.run import Run

WHY = (
    "it is a time to an event, whose rows are 0 until they are 1: they have no "
    "residuals that are normal and no percentiles"
)


def comparison(run: Run) -> Iterator[Block]:
    """One line per time to an event; nothing where there is none.

    The expected number is DV less the martingale residual, summed, at the posterior
    mean.
    """
    rows = [
        _line(run, k)
        for k, output in enumerate(run.outputs)
        if output.timed and np.any(run.goodness.output == k)
    ]
    if rows:
        yield NotRun("Residuals, NPDE and VPC of " + _names(rows), WHY)
        yield Table(
            "events",
            "Times to an event: patients at risk, events, and the number expected, "
            "posterior mean: the sum over patients of the cumulative hazard (Cox and "
            "Snell) or, between visits, of the probability of an event. Their "
            "difference, the sum of martingale residuals, has an SD near the root of "
            "the expected number.",
            rows,
        )


def _line(run: Run, k: int) -> dict[str, object]:
    good = run.goodness
    rows = good.output == k
    events = good.observed.dv[rows].sum()
    return {
        "output": run.outputs[k].name,
        "patients": len(np.unique(good.subject[rows])),
        "events": int(events),
        "expected": events - good.iwres[rows].sum(),
        "difference": good.iwres[rows].sum(),
    }


def _names(rows: list[dict[str, object]]) -> str:
    return ", ".join(str(row["output"]) for row in rows)
