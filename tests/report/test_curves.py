"""Curves between the samples, and what is drawn and said without them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure as Canvas

from imak_pkpd.report.blocks import Prose
from imak_pkpd.report.run import Run, read_run
from imak_pkpd.report.sections.individuals import _draw_curves, _draw_output, figures

POINTS = 60


@pytest.fixture
def smooth(small_tree: xr.DataTree) -> xr.DataTree:
    """The small run with curves that could not be mistaken for its predictions.

    Patient 1 has exp(-t / 12) up to 24 h, patient 2 has a curve with a hole.
    """
    subjects = small_tree["posterior"].sizes["subject"]
    time = np.tile(np.linspace(0, 24, POINTS), (subjects, 1))
    middle = np.exp(-time / 12)[..., None]
    hole = middle.copy()
    hole[1, 7] = np.nan
    dims = ("subject", "point", "output")
    group = small_tree["posterior_predictive"].to_dataset()
    group = group.assign(
        curve_time=(dims[:2], time),
        curve_low=(dims, hole / 2),
        curve_median=(dims, hole),
        curve_high=(dims, hole * 2),
        curve_population=(dims, hole * 3),
    )
    groups = {f"/{n}": node.to_dataset() for n, node in small_tree.children.items()}
    return xr.DataTree.from_dict(groups | {"/posterior_predictive": group})


def lines(run: Run, patient: int) -> list[np.ndarray]:
    """(x, y) of the lines in a patient's figure: median, typical, ..."""
    axes = Canvas().subplots()
    _draw_output(axes, run, patient, 0)
    return [np.asarray(line.get_xydata()) for line in axes.get_lines()]


def sentence(run: Run) -> str:
    first = next(figures(run))
    assert isinstance(first, Prose)
    return first.text


def test_the_smooth_curve_is_drawn(
    run_folder: Callable[..., Path], smooth: xr.DataTree, record: dict
) -> None:
    run = read_run(run_folder(smooth, **record), anonymise=False)
    median, typical, *_ = lines(run, 0)
    time = np.linspace(0, 24, POINTS)
    np.testing.assert_allclose(median, np.column_stack([time, np.exp(-time / 12)]))
    np.testing.assert_allclose(typical[:, 1], 3 * np.exp(-time / 12))
    assert "straight" not in sentence(run)


def test_a_curve_with_a_hole_is_not_drawn(
    run_folder: Callable[..., Path], smooth: xr.DataTree, record: dict
) -> None:
    run = read_run(run_folder(smooth, **record), anonymise=False)
    median, *_ = lines(run, 1)
    mine = run.goodness.subject == 1
    np.testing.assert_allclose(median[:, 1], run.goodness.ipred[mine])


def test_a_run_without_curves_says_so(
    run_folder: Callable[..., Path], small_tree: xr.DataTree, record: dict
) -> None:
    run = read_run(run_folder(small_tree, **record), anonymise=False)
    median, *_ = lines(run, 0)
    assert len(median) == (run.goodness.subject == 0).sum()
    assert "joined by straight lines" in sentence(run)


def test_a_line_is_broken_where_time_starts_anew(
    run_folder: Callable[..., Path], smooth: xr.DataTree, record: dict
) -> None:
    run = read_run(run_folder(smooth, **record), anonymise=False)
    assert run.curves is not None
    whole = run.curves._replace(time=run.curves.time[0])
    whole = whole._make([whole.time, *(curve[0, :, 0] for curve in whole[1:])])
    again = whole._replace(time=np.where(whole.time < 12, whole.time, whole.time - 12))
    axes = Canvas().subplots()
    _draw_curves(axes, again, "blue")
    solid = axes.get_lines()[::2]  # median and typical take turns
    assert [len(np.asarray(line.get_xdata())) for line in solid] == [30, 30]
