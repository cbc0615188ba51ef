"""The DataTree of a result: its groups, and there and back through a file."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from imak_pkpd.fit.tree import (
    GROUPS,
    Variable,
    build_tree,
    posterior_group,
    read_tree,
    write_tree,
)

SUBJECTS = ("1", "two", "<b>3</b>", "vier ü")


def result() -> xr.DataTree:
    rng = np.random.default_rng(0)
    posterior = posterior_group(
        {
            "CL_pop": rng.normal(size=(2, 5)),
            "CL": rng.normal(size=(2, 5, 4)),
            "cholesky_V_CL": rng.normal(size=(2, 5, 2, 2)),
        },
        subjects=4,
    )
    statistics = {
        "diverging": Variable(("chain", "draw"), rng.random((2, 5)) > 0.5),
        "n_steps": Variable(("chain", "draw"), rng.integers(1, 9, (2, 5))),
    }
    observed = {
        "dv": Variable(("observation",), np.array([1.0, np.nan, np.inf])),
        "subject_index": Variable(("observation",), np.array([0, 0, 3])),
    }
    replicate = {
        "replicate": Variable(
            ("chain", "draw", "observation"), rng.normal(size=(2, 2, 3))
        )
    }
    return build_tree(
        {
            "posterior_predictive": replicate,
            "observed_data": observed,
            "sample_stats": statistics,
            "posterior": posterior,
        },
        {
            "posterior": {"subject": SUBJECTS},
            "posterior_predictive": {"draw": [0, 4]},
        },
        {"run": "r1", "seed": 3, "synthetic": True, "versions": {"jax": "1"}},
    )


def test_dims_coordinates_and_order() -> None:
    tree = result()
    assert list(tree.children) == [
        "posterior",
        "sample_stats",
        "observed_data",
        "posterior_predictive",
    ]
    posterior = tree["posterior"]
    assert posterior["CL_pop"].dims == ("chain", "draw")
    assert posterior["CL"].dims == ("chain", "draw", "subject")
    assert posterior["cholesky_V_CL"].dims[2:] == (
        "cholesky_V_CL_dim_0",
        "cholesky_V_CL_dim_1",
    )
    assert tuple(posterior["subject"].values) == SUBJECTS
    assert list(tree["posterior_predictive"]["draw"].values) == [0, 4]
    assert tree.attrs == {
        "run": "r1",
        "seed": 3,
        "synthetic": "true",
        "versions": '{"jax": "1"}',
    }


def test_there_and_back(tmp_path: Path) -> None:
    tree = result()
    write_tree(tree, tmp_path / "posterior.nc")
    back = read_tree(tmp_path / "posterior.nc")
    assert back.identical(tree)
    assert back["sample_stats/diverging"].dtype == bool
    (tmp_path / "posterior.nc").unlink()  # it is in memory
    assert np.isfinite(back["posterior/CL"].values).all()


@given(
    arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 4), st.just(4))),
    st.sampled_from(GROUPS),
)
@settings(max_examples=15, deadline=None)
def test_any_numbers_in_any_group_come_back(
    tmp_path_factory: pytest.TempPathFactory, values: np.ndarray, group: str
) -> None:
    path = tmp_path_factory.mktemp("tree") / "posterior.nc"
    tree = build_tree({group: posterior_group({"x": values}, 4)}, {}, {})
    write_tree(tree, path)
    np.testing.assert_array_equal(read_tree(path)[group]["x"].values, values)


def test_an_unknown_group_is_refused() -> None:
    with pytest.raises(ValueError, match="groups notes have no place"):
        build_tree({"notes": {}}, {}, {})


@pytest.mark.parametrize("content", [None, b"", b"not netCDF"])
def test_an_unreadable_file_is_one_sentence(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "posterior.nc"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read as a posterior"):
        read_tree(path)


def test_some_groups_alone_are_read(tmp_path: Path) -> None:
    """With the provenance; a group that is not there is none."""
    tree, file = result(), tmp_path / "posterior.nc"
    write_tree(tree, file)
    some = read_tree(file, ("posterior", "warmup"))
    assert list(some.children) == ["posterior"]
    assert some.attrs == read_tree(file).attrs
    assert some["posterior"].to_dataset().identical(tree["posterior"].to_dataset())
