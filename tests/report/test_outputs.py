"""Several outputs: each has its own panels; one without samples is said."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from imak_pkpd.report.blocks import Figure, Made, NotRun
from imak_pkpd.report.page import make
from imak_pkpd.report.run import read_run
from imak_pkpd.report.sections import goodness, individuals, vpc


@pytest.fixture
def three_outputs(small_tree: xr.DataTree) -> xr.DataTree:
    """The small run with every second sample called "effect", and "nothing" empty."""
    groups = {}
    for name, node in small_tree.children.items():
        group = node.to_dataset().drop_vars("output")
        groups[f"/{name}"] = group.assign_coords(
            output=["concentration", "effect", "nothing"]
        )
    seen = groups["/observed_data"]
    index = np.arange(seen.sizes["observation"]) % 2
    groups["/observed_data"] = seen.assign(output_index=("observation", index))
    return xr.DataTree.from_dict(groups)


def figures(made: Made) -> set[str]:
    return {b.name for _, part in made.parts for b in part if isinstance(b, Figure)}


def test_each_output_has_its_panels(
    run_folder: Callable[..., Path], three_outputs: xr.DataTree, record: dict
) -> None:
    run = read_run(run_folder(three_outputs, **record), anonymise=False)
    good = make(goodness.SECTION, run)
    names = ("dv-predictions", "residuals", "normal-quantiles")
    assert figures(good) == {f"{name}-{k}" for name in names for k in (1, 2)}
    assert not any("could not be made" in check.reason for check in good.not_run)
    assert any("nothing" in check.what for check in good.not_run)
    checks = make(vpc.SECTION, run)
    assert {"vpc-1-1", "vpc-1-2", "vpc-2-1", "vpc-2-2"} <= figures(checks)
    assert {"pcvpc-1", "pcvpc-2"} <= figures(checks)
    assert not any("could not be made" in check.reason for check in checks.not_run)


def test_a_correction_that_is_not_defined_is_refused_and_said(
    run_folder: Callable[..., Path], small_tree: xr.DataTree, record: dict
) -> None:
    tree = small_tree.copy(deep=True)
    tree["posterior_predictive/pred"].values[..., 0] = 0.0  # before the dose
    made = make(vpc.SECTION, read_run(run_folder(tree, **record), anonymise=False))
    (refused,) = [b for _, part in made.parts for b in part if isinstance(b, NotRun)]
    assert "time bin 1 of 10" in refused.what
    assert "not positive" in refused.reason
    assert "pcvpc-1" in figures(made)


def test_a_patient_without_samples_is_named(
    run_folder: Callable[..., Path], small_tree: xr.DataTree, record: dict
) -> None:
    tree = small_tree.copy()
    kept = np.flatnonzero(tree["observed_data/subject_index"].values != 6)
    assert len(kept) == 110
    for group in ("observed_data", "posterior_predictive"):
        rest = tree[group].to_dataset().isel(observation=kept)
        tree[group] = xr.DataTree(rest)
    made = make(
        individuals.SECTION, read_run(run_folder(tree, **record), anonymise=False)
    )
    (missing,) = made.not_run
    assert missing.reason == "7"
