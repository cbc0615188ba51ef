"""The chapter of estimands: shares of outcomes, intervals of what has a value."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from imak_pkpd.report import write_report
from imak_pkpd.report.run import read_run
from imak_pkpd.report.sections.estimands import all_patients, by_patient

WORDS = {"t_rej": "time to rejection <b>", "top": "largest count"}


@pytest.fixture
def asked(small_tree: xr.DataTree) -> xr.DataTree:
    """Two estimands in the small run; of patient 1 half the draws cross, at 3 or 5."""
    sizes = small_tree["posterior"].sizes
    shape = (sizes["chain"], 4, sizes["subject"])
    dims = ("chain", "draw", "subject")
    time = np.full(shape, 2.0)
    time[:, :, 0] = [3.0, 5.0, np.nan, np.nan]
    outcome = np.ones(shape, int)
    outcome[:, :, 0] = [1, 1, 2, 0]
    group = xr.Dataset(
        {
            "t_rej": (dims, time),
            "t_rej_outcome": (dims, outcome),
            "top": (dims, np.full(shape, 7.0)),
        },
        coords={"subject": small_tree["posterior"].coords["subject"]},
    )
    groups = {f"/{n}": node.to_dataset() for n, node in small_tree.children.items()}
    tree = xr.DataTree.from_dict(groups | {"/estimand": group})
    tree.attrs.update(small_tree.attrs, estimands=json.dumps(WORDS))
    return tree


def test_the_page_has_the_numbers(
    asked: xr.DataTree, run_folder: Callable[..., Path]
) -> None:
    folder = run_folder(asked)
    text = write_report(folder).read_text()
    assert "time to rejection &lt;b&gt;" in text
    with (folder / "tables" / "estimand-t-rej.csv").open() as file:
        first, second, *_ = csv.DictReader(file)
    shares = [
        float(first[f"P({what})"]) for what in ("crossed", "not yet", "never above")
    ]
    assert shares == [0.5, 0.25, 0.25]
    assert float(first["median"]) == 4.0  # of 3 and 5: what has no time is not in it
    assert [float(second["P(crossed)"]), float(second["median"])] == [1.0, 2.0]
    with (folder / "tables" / "estimands.csv").open() as file:
        rows = {row["estimand"]: row for row in csv.DictReader(file)}
    assert rows["t_rej"]["what it is"] == WORDS["t_rej"]
    assert float(rows["top"]["median"]) == 7.0
    assert rows["top"]["P(crossed)"] == ""


def test_a_run_without_estimands_says_so(
    small_tree: xr.DataTree, run_folder: Callable[..., Path]
) -> None:
    run = read_run(run_folder(small_tree), anonymise=False)
    (said,) = all_patients(run)
    assert "asks for none" in str(said)
    assert list(by_patient(run)) == []
