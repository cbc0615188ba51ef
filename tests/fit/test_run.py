"""The run folder: created whole or not at all, never overwritten, with its record."""

import json
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from imak_pkpd.fit.provenance import git, hash_arrays
from imak_pkpd.fit.record import DataSource, Result, RunRecord, new_record
from imak_pkpd.fit.run import (
    create_run,
    drop_checkpoint,
    read_record,
    recording,
    update_record,
)
from imak_pkpd.fit.runs_index import INDEX, list_runs, read_index


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in {
        "101-core.toml": 'problem = "π"\r\n',
        "core.py": "class Core: ...\n",
        "data.csv": "ID,TIME\n1,0\n",
    }.items():
        (tmp_path / name).write_bytes(text.encode())
    return tmp_path


def record(project: Path, **known: object) -> RunRecord:
    data = DataSource(
        path=str(project / "data.csv"),
        sha256=sha256(b"ID,TIME\n1,0\n").hexdigest(),
        rows=1,
        subjects=1,
    )
    estimation = {"seed": 7, "chains": 4}
    return new_record(
        project / "101-core.toml",
        project / "core.py",
        data,
        estimation,
        command=("imak", "fit"),
        overrides={"draws": 10},
        **known,
    )


def test_a_run_is_a_folder_named_after_the_fit(project: Path) -> None:
    folder = create_run(record(project), project / "runs")
    assert folder.parent == project / "runs" / "101-core"
    stored = json.loads((folder / "run.json").read_text())
    assert stored["status"] == "running"
    assert stored["overrides"] == {"draws": 10}
    assert stored["fit"]["text"] == 'problem = "π"\n'
    assert stored["fit"]["sha256"] == sha256('problem = "π"\r\n'.encode()).hexdigest()
    assert stored["seed"] == 7
    assert set(stored["machine"]["versions"]) >= {"python", "jax", "numpyro"}
    assert read_record(folder) == record(project).model_copy(
        update={n: stored[n] for n in ("run", "start")}
    )
    assert not list(folder.parent.glob(".*"))


def test_the_same_moment_and_content_do_not_overwrite(project: Path) -> None:
    once = record(project)
    create_run(once, project / "runs")
    with pytest.raises(ValueError, match="already holds something"):
        create_run(once, project / "runs")


def test_the_same_fit_may_run_twice_in_a_second(project: Path) -> None:
    made = {create_run(record(project), project / "runs") for _ in range(3)}
    assert len(made) == 3


@pytest.mark.parametrize("content", [{}, {"run.json": "{}"}, {"notes.txt": "mine"}])
def test_out_takes_an_empty_folder_and_refuses_a_full_one(
    project: Path, content: dict[str, str]
) -> None:
    out = project / "here"
    out.mkdir()
    for name, text in content.items():
        (out / name).write_text(text)
    if not content:
        assert create_run(record(project), project / "runs", out) == out
        assert read_record(out).status == "running"
        return
    with pytest.raises(ValueError, match="imak resume"):
        create_run(record(project), project / "runs", out)
    assert {path.name: path.read_text() for path in out.iterdir()} == content


def test_a_failure_is_recorded_and_an_interruption_is_not(project: Path) -> None:
    folder = create_run(record(project), project / "runs")
    with pytest.raises(KeyboardInterrupt), recording(folder):
        raise KeyboardInterrupt
    assert read_record(folder).status == "running"
    with pytest.raises(ValueError, match="no start"), recording(folder):
        raise ValueError("no start")
    failed = read_record(folder)
    assert (failed.status, failed.error) == ("failed", "no start")
    assert failed.end is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "is not a run folder"),
        ("", "is not a record of a run"),
        ('{"run": 3}', "is not a record of a run: run: "),
    ],
)
def test_what_is_no_run_is_one_sentence(
    tmp_path: Path, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_record(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_goes_only_when_the_posterior_is_there(project: Path) -> None:
    folder = create_run(record(project), project / "runs")
    (folder / "checkpoint").mkdir()
    drop_checkpoint(folder)
    assert (folder / "checkpoint").exists()
    (folder / "posterior.nc").write_bytes(b"")
    drop_checkpoint(folder)
    assert not (folder / "checkpoint").exists()


def test_the_index_is_made_anew_from_the_folders(project: Path) -> None:
    runs = project / "runs"
    first = create_run(record(project, tags=("quick",)), runs)
    result = Result(
        passed=False,
        verdict="FAILED",
        rhat_max=1.02,
        ess_bulk_min=500.0,
        ess_tail_min=300.0,
        divergences=4,
    )
    update_record(first, status="finished", result=result)
    other = create_run(record(project, based_on="100-core"), runs, runs / "other")
    (runs / "broken").mkdir()
    (runs / "broken" / "run.json").write_text("?")
    rows = {row.folder: row for row in list_runs(runs)}
    done = rows[str(first.relative_to(runs))]
    assert (done.status, done.rhat_max, done.ess_min) == ("finished", 1.02, 300.0)
    assert (done.divergences, done.passed, done.tags) == (4, False, "quick")
    assert (done.fit, done.model, done.stale) == ("101-core.toml", "core.py", "")
    assert rows[other.name].parent == "100-core"
    assert rows["broken"].status == "unreadable"
    assert read_index(runs) == list(list_runs(runs))
    (runs / INDEX).write_bytes(b"")  # rubbish in its place is replaced
    assert len(list_runs(runs)) == 3


def test_a_run_is_stale_when_its_sources_changed(project: Path) -> None:
    runs = project / "runs"
    create_run(record(project), runs)
    (project / "core.py").write_text("class Core: x = 1\n")
    (project / "data.csv").unlink()
    assert [row.stale for row in list_runs(runs)] == ["model data"]


def test_no_runs_is_an_empty_list(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none") == []
    assert read_index(tmp_path / "none") == []


def test_git_says_commit_and_dirtiness(tmp_path: Path) -> None:
    assert git(tmp_path) == {"commit": None, "dirty": None}
    run = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "a").write_text("1")
    for words in (["init", "-q"], ["add", "a"], ["commit", "-qm", "one"]):
        subprocess.run([*run, *words], check=True, capture_output=True)
    clean = git(tmp_path)
    assert clean["dirty"] is False
    assert len(clean["commit"]) == 40
    (tmp_path / "a").write_text("2")
    assert git(tmp_path) == {**clean, "dirty": True}


def test_hash_of_arrays_sees_names_types_shapes_and_values() -> None:
    import numpy as np

    base = {"a": np.zeros(4), "b": np.ones(2)}
    variants = [
        base,
        {"a": np.zeros((2, 2)), "b": np.ones(2)},
        {"a": np.zeros(4, np.float32), "b": np.ones(2)},
        {"a": np.zeros(4), "c": np.ones(2)},
        {"a": np.zeros(4), "b": np.array([1.0, np.nextafter(1.0, 2.0)])},
    ]
    assert len({hash_arrays(variant) for variant in variants}) == len(variants)
    assert hash_arrays(base) == hash_arrays({name: base[name] for name in ("b", "a")})
