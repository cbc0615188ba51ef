"""What `imak explore` shows of a run, and what it refuses; marimo is not needed."""

import os
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

from imak_pkpd.decide.notice import NOTICE
from imak_pkpd.explore import answers, choice, contents
from imak_pkpd.explore.server import serve
from imak_pkpd.report.blocks import Block, Figure, NotRun, Prose, Table
from imak_pkpd.report.run import Run, read_run
from tests.report.explored import BEST, DOUBLED, explored_run


@pytest.fixture(scope="module")
def folder(
    small_tree: xr.DataTree,
    record: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    return explored_run(tmp_path_factory.mktemp("explored"), small_tree, record)


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return read_run(folder, anonymise=True)


def texts(blocks: Iterable[Block]) -> list[str]:
    return [block.text for block in blocks if isinstance(block, Prose)]


def tables(blocks: Iterable[Block]) -> dict[str, Table]:
    return {block.name: block for block in blocks if isinstance(block, Table)}


def test_what_it_is_not_for_comes_first(run: Run) -> None:
    said = texts(contents.summary(run))
    assert said[0].startswith(NOTICE)
    assert contents.SYNTHETIC not in said
    assert "The draws did not pass: see the checks below." in said  # 120 draws


def test_synthetic_patients_are_said(
    small_tree: xr.DataTree, run_folder: Callable[..., Path], record: dict[str, Any]
) -> None:
    made = run_folder(small_tree.copy(), **{**record, "tags": ["synthetic"]})
    assert contents.SYNTHETIC in texts(contents.summary(read_run(made, anonymise=True)))


def test_parameters_before_and_after(run: Run, small_tree: xr.DataTree) -> None:
    found = tables(contents.parameters(run))
    before = {row["parameter"]: row for row in found["contraction"].rows}["V_pop"]
    assert before["prior median"] == pytest.approx(small_tree["prior/V_pop"].median())
    assert before["posterior median"] == pytest.approx(
        small_tree["posterior/V_pop"].median()
    )
    shown = {row["parameter"] for row in found["parameters"].rows}
    assert {"V_pop", "omega_V", "concentration_additive"} <= shown


def test_every_parameter_can_be_traced(run: Run) -> None:
    names = list(contents.traced(run))
    assert "CL_pop" in names
    (trace,) = contents.traces(run, "CL_pop")
    assert isinstance(trace, Figure)
    assert "CL_pop" in trace.svg


def test_of_a_folder_without_draws(tmp_path: Path) -> None:
    """It is said what is missing; nothing fails."""
    (tmp_path / "run.json").write_text('{"status": "failed", "error": "too cold"}')
    run = read_run(tmp_path, anonymise=True)
    assert "The run failed: too cold" in texts(contents.summary(run))
    assert not contents.traced(run)
    blocks = [*contents.traces(run, None), *contents.parameters(run)]
    assert all(isinstance(block, NotRun) for block in blocks)
    assert answers.newest_decision(tmp_path) is None
    for asked in (answers.trial, answers.samples):
        (block,) = asked(tmp_path)
        assert isinstance(block, NotRun)


def test_text_of_a_run_is_no_html(run: Run, attack: str) -> None:
    everything = [
        *contents.summary(run),
        *contents.parameters(run),
        *contents.estimands(run),
        Prose(attack),
    ]
    shown = contents.html(everything)
    assert attack not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown


def test_the_newest_decision_counts(folder: Path, tmp_path: Path) -> None:
    for name, hour in (("dose", 2), ("dose-2", 3), ("dose-3", 1)):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "dose.json"
        path.write_text(f'{{"sentence": "{name}"}}')
        os.utime(path, (3600 * hour, 3600 * hour))
    found = answers.newest_decision(tmp_path)
    assert found is not None
    assert found["sentence"] == "dose-2"


def test_a_design_among_weights_of_ones_own(run: Run) -> None:
    document = answers.newest_decision(run.folder)
    assert document is not None
    assert choice.chosen(document) == BEST
    stored = list(choice.stored(run, document))
    assert texts(stored)[0].startswith(f"Recommended: {BEST}")
    assert isinstance(stored[-1], Figure)
    plain = list(choice.weighed(document, BEST, [1.0, 1.0, 1.0]))
    assert texts(plain)[0].endswith("; no admissible design is better.")
    rows = tables(plain)["weighed"].rows
    assert [row["utility under these weights"] for row in rows] == pytest.approx(
        [row["stored utility"] for row in rows]
    )
    moved = list(choice.weighed(document, BEST, [1.0, 2.0, 1.0]))
    assert f"; {DOUBLED} is better by " in texts(moved)[0]
    over = list(choice.weighed(document, "a 32", [9.0, 0.0, 0.0]))
    assert "; it is not admissible (gain)." in texts(over)[0]
    old = {**document, "utility_terms": []}
    (block,) = choice.weighed(old, BEST, [1.0])
    assert isinstance(block, Prose)
    assert "run `imak dose` again" in block.text


def test_no_run_and_no_marimo(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"has no run\.json: give a run folder"):
        serve(tmp_path, 0, print)
    monkeypatch.setitem(sys.modules, "marimo", None)
    with pytest.raises(ValueError, match=r"pip install 'imak_pkpd\[explore\]'"):
        serve(folder, 0, print)


def test_a_port_that_is_taken(folder: Path) -> None:
    pytest.importorskip("marimo", reason="the extra `explore` is not installed")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ValueError, match=f"port {port} of 127.0.0.1 cannot be had"):
            serve(folder, port, print)
