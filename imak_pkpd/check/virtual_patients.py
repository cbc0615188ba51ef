"""Are the virtual patients beside the chains enough? `diagnose_chains` asks that too.

| check | limit | why |
|---|---|---|
| virtual patients | 0.2 posterior SD | a 95 % interval off by it covers 94.5 % |

How far parameters move when cohorts have more patients, at other points, is known by
weights; where these have a k-hat above 0.7 it is not known, and the fit does not pass.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from imak_pkpd.check.convergence import Diagnostics, Finding, NotRun, diagnose
from imak_pkpd.check.reweighting import facts_of
from imak_pkpd.fit.certificate import K_HAT

SHIFT = 0.2
CHECK = "virtual patients"


def diagnose_chains(tree: xr.DataTree, solver_error: float | None) -> Diagnostics:
    """The checks of the chains, and of virtual patients where there are facts."""
    found = diagnose(tree, solver_error)
    if not facts_of(tree):
        return found
    match enough(tree):
        case Finding() as made:
            return Diagnostics((*found.findings, made), found.not_run)
        case missing:
            return Diagnostics(found.findings, (*found.not_run, missing))


def virtual_of(tree: xr.DataTree) -> Mapping[str, Any]:
    """What the run has stored of its virtual patients; empty for none."""
    return json.loads(str(tree.attrs.get("virtual", "{}")))


def enough(tree: xr.DataTree) -> Finding | NotRun:
    """The parameter that more virtual patients move most."""
    said = virtual_of(tree)
    shift = {name: abs(each) for name, each in (said.get("shift") or {}).items()}
    if not shift:
        return NotRun(CHECK, "the run did not try more of them", True)
    if not said["khat"] <= K_HAT:
        words = f"the weights that lead to more of them have k-hat {said['khat']:.2f}"
        return NotRun(CHECK, f"{words}: give [cohort] more patients", True)
    worst = max(shift, key=lambda name: np.nan_to_num(shift[name], nan=np.inf))
    text = f"more virtual patients move {worst} by {shift[worst]:.2g} posterior SD"
    return Finding(CHECK, shift[worst] <= SHIFT, shift[worst], SHIFT, text)
