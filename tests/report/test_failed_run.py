"""A fit that failed still gets a report, which says so first."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import xarray as xr

from imak_pkpd.report import write_report
from imak_pkpd.report.page import make
from imak_pkpd.report.run import read_run
from imak_pkpd.report.sections import (
    computation,
    data,
    goodness,
    model,
    parameters,
    sensitivity,
    vpc,
)


def first_words(page: Path) -> str:
    """The verdict: what stands before everything else."""
    text = page.read_text(encoding="utf-8")
    return text[text.index("<h3>Verdict</h3>") : text.index("<h3>At a glance</h3>")]


def without(tree: xr.DataTree, *groups: str) -> xr.DataTree:
    kept = tree.copy()
    for group in groups:
        del kept[group]
    return kept


def test_an_empty_folder(tmp_path: Path) -> None:
    page = write_report(tmp_path)
    assert "run.json is missing" in first_words(page)
    assert "posterior.nc is missing" in first_words(page)
    assert "the run has no group “posterior”" in page.read_text(encoding="utf-8")


def test_damaged_files(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{ half")
    (tmp_path / "posterior.nc").write_bytes(b"\x89HDF but not quite")
    words = first_words(write_report(tmp_path))
    assert "run.json could not be read" in words
    assert "posterior.nc could not be read" in words


def test_no_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a folder: give the run folder"):
        write_report(tmp_path / "nowhere")


def test_a_run_that_failed_in_warm_up(
    run_folder: Callable[..., Path], small_tree: xr.DataTree
) -> None:
    tree = xr.DataTree.from_dict(
        {name: small_tree[name].to_dataset() for name in ("warmup", "observed_data")}
    )
    error = "no start with a finite <log-density>"
    page = write_report(run_folder(tree, status="failed", error=error))
    words = first_words(page)
    assert "The run failed: no start with a finite &lt;log-density&gt;" in words
    assert "Do not use the numbers below" in words
    text = page.read_text(encoding="utf-8")
    assert "warm-up" in text  # what the chains did is still shown
    assert 'id="profiles-1"' in text  # and the data


def test_a_run_that_is_still_going(run_folder: Callable[..., Path]) -> None:
    words = first_words(write_report(run_folder(status="running")))
    assert "The run has not finished" in words


@pytest.mark.parametrize(
    ("group", "section", "missing"),
    [
        ("posterior_predictive", vpc, "Visual predictive check"),
        ("posterior_predictive", goodness, "Residuals"),
        ("prior", sensitivity, "Overlay"),
        ("prior_predictive", model, "Prior predictive check"),
        ("sample_stats", computation, "divergences"),
        ("constant_data", data, "Doses"),
        ("observed_data", data, "Raw profiles"),
        ("posterior", parameters, "Population"),
    ],
)
def test_a_missing_group_is_listed_with_its_name(
    run_folder: Callable[..., Path],
    small_tree: xr.DataTree,
    record: dict,
    group: str,
    section: ModuleType,
    missing: str,
) -> None:
    folder = run_folder(without(small_tree, group), **record)
    made = make(section.SECTION, read_run(folder, anonymise=False))
    reasons = {check.what: check.reason for check in made.not_run}
    assert group in reasons[missing]
    assert not any("could not be made" in reason for reason in reasons.values())


def test_only_the_draws_are_left(
    run_folder: Callable[..., Path], small_tree: xr.DataTree, record: dict
) -> None:
    tree = xr.DataTree.from_dict({"posterior": small_tree["posterior"].to_dataset()})
    folder = run_folder(tree, **record)
    page = write_report(folder)
    assert "posterior.nc has no group “observed_data”" in first_words(page)
    text = page.read_text(encoding="utf-8")
    assert 'id="traces"' in text
    assert 'id="table-parameters"' in text
    assert "it could not be made" not in text
    listed = (folder / "tables" / "not-run.csv").read_text()
    for check in ("Visual predictive check", "Samples", "Overlay", "divergences"):
        assert check in listed


def test_draws_that_are_not_numbers_do_not_stop_the_report(
    run_folder: Callable[..., Path], small_tree: xr.DataTree, record: dict
) -> None:
    tree = small_tree.copy(deep=True)
    tree["posterior/V_pop"].values[0, :] = np.nan
    run = read_run(run_folder(tree, **record), anonymise=False)
    assert not run.diagnostics.passed
    for section in (parameters, computation, sensitivity):
        made = make(section.SECTION, run)
        assert not any("could not be made" in check.reason for check in made.not_run)


def test_a_part_that_breaks_is_named_and_the_others_go_on(
    run_folder: Callable[..., Path], small_tree: xr.DataTree, record: dict
) -> None:
    tree = small_tree.copy(deep=True)
    tree["constant_data/dose_subject_index"].values[0] = 99  # no such patient
    made = make(data.SECTION, read_run(run_folder(tree, **record), anonymise=False))
    (broken,) = made.not_run
    assert broken.what == "Doses"
    assert "could not be made (IndexError" in broken.reason
    assert [title for title, _ in made.parts] == [p.title for p in data.SECTION.parts]
