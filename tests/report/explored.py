"""A finished run with a dose chosen: the simulated patients, and the toy's decision."""

import json
from pathlib import Path
from typing import Any

import xarray as xr

from imak_pkpd.decide.of_run import decide_run
from imak_pkpd.decide.store import write_decision
from tests.decide.toy_run import toy_run

DECISION = """
[decision]
cohort = "trial"
utility = "gain - 0.25*gain**2 - 0.01*a"
draws = 4
patients = 16
[decision.amount]
a = { levels = [2.0, 8.0, 14.0, 32.0] }
[decision.limit]
gain = { at_most = 2.0 }
"""
BEST, DOUBLED = "a 14", "a 8"  # and where the square counts twice


def explored_run(folder: Path, tree: xr.DataTree, record: dict[str, Any]) -> Path:
    """`folder`, with the posterior of `tree` and the answer of `imak dose`."""
    toy = folder / "toy"
    toy.mkdir()
    decision = decide_run(toy_run(toy, DECISION))
    run = folder / "run"
    run.mkdir()
    tree.to_netcdf(run / "posterior.nc", engine="h5netcdf")
    (run / "run.json").write_text(json.dumps(record))
    write_decision(run, decision)
    return run
