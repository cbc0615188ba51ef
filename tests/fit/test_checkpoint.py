"""A damaged or foreign checkpoint is refused in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from imak_pkpd.fit.checkpoint import open_checkpoint
from imak_pkpd.fit.estimation import EstimationBlock
from imak_pkpd.fit.sample import Draws, sample
from imak_pkpd.fit.target import target


def model(y: jax.Array) -> None:
    x = numpyro.sample("x", dist.Normal(0.0, 1.0))
    numpyro.factor("likelihood", dist.Normal(x, 1.0).log_prob(y).sum())


def drawn(folder: Path, y: float = 0.5, draws: int = 40, force: bool = False) -> Draws:
    settings = EstimationBlock(chains=2, warmup=30, draws=draws)
    data = (np.asarray(y),)
    known = {"model": "normal"}
    return sample(target(model, data), data, settings, folder, known, force=force)


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    drawn(tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def refusal(folder: Path, **changes: object) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the callers match)
        drawn(folder, **changes)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    """One bit in the middle of what is stored under the largest name."""
    with ZipFile(path) as stored:
        largest = max(stored.infolist(), key=lambda part: part.file_size)
    content = bytearray(path.read_bytes())
    begin = largest.header_offset + 30 + len(largest.filename)  # a ZIP local header
    content[begin + largest.file_size // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, flip, lambda p: p.write_bytes(b"")])
@pytest.mark.parametrize("name", ["start.npz", "warmup1-00-00000000.npz"])
def test_a_damaged_file_is_refused(
    finished: Path, name: str, damage: Callable[[Path], None]
) -> None:
    damage(finished / name)
    assert f"{name} is damaged: start a new run" in refusal(finished)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}'])
def test_a_damaged_identity_is_refused(finished: Path, text: str) -> None:
    (finished / "checkpoint.json").write_text(text)
    assert "checkpoint.json is damaged" in refusal(finished)


def test_another_schema_is_refused(finished: Path) -> None:
    path = finished / "checkpoint.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 99}))
    assert "schema 99, expected 2" in refusal(finished)


def test_a_missing_block_is_refused(finished: Path) -> None:
    (finished / "sampling-00-00000000.npz").unlink()
    assert "a block before sampling-00-00000005.npz is missing" in refusal(finished)


def test_draws_without_an_identity_are_refused(finished: Path) -> None:
    (finished / "checkpoint.json").unlink()
    assert "checkpoint.json is missing beside its draws" in refusal(finished)


@pytest.mark.parametrize("changes", [{"y": 0.6}, {"draws": 50}])
@pytest.mark.parametrize("force", [False, True])
def test_another_fit_is_refused_even_by_force(
    finished: Path, changes: dict, force: bool
) -> None:
    message = refusal(finished, **changes, force=force)
    assert "is a checkpoint of another fit" in message
    assert ("arguments" in message) == ("y" in changes)


def test_a_block_of_another_fit_is_refused(finished: Path, tmp_path: Path) -> None:
    drawn(tmp_path / "other", y=2.0)
    name = "sampling-01-00000005.npz"
    (finished / name).write_bytes((tmp_path / "other" / name).read_bytes())
    assert f"{name} belongs to another fit" in refusal(finished)


def test_another_machine_is_refused_unless_forced(finished: Path) -> None:
    path = finished / "checkpoint.json"
    identity = json.loads(path.read_text())
    identity["machine"]["processor"] = "abacus"
    path.write_text(json.dumps(identity))
    message = refusal(finished)
    assert "another machine or installation (processor: abacus, now" in message
    assert drawn(finished, force=True).positions.shape == (2, 40, 1)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(tmp_path, {"data": "a"}, {"cpu": 1})
    arrays = {"x": np.array([np.nan, np.inf, 5e-324]), "y": np.zeros((0, 3))}
    checkpoint.write("block", {"first": 3}, arrays)
    header, found = checkpoint.read("block") or ({}, {})
    assert header["first"] == 3
    for name, value in arrays.items():
        np.testing.assert_array_equal(found[name], value)
    assert checkpoint.read("none") is None
    assert not list(tmp_path.glob(".*"))  # no temporary file is left
