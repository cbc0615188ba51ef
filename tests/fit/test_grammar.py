"""Chains of fit files: merged key by key, every key with the line that set it."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from imak_pkpd.fit.grammar import DROP, FitError, merge, read_source, relocate


def write(folder: Path, **texts: str) -> Path:
    """One file per argument; the path of the first."""
    folder.mkdir(exist_ok=True, parents=True)
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)
    return folder / f"{next(iter(texts))}.toml"


def refused(path: Path) -> str:
    with pytest.raises(FitError) as caught:
        read_source(path)
    return str(caught.value)


def test_tables_merge_arrays_replace_and_drop_removes(tmp_path: Path) -> None:
    own = write(
        tmp_path,
        b='based_on = "a.toml"\n[t]\nlist = [3]\ngone = "drop"\n[t.inner]\ny = 2\n',
        a="[t]\nlist = [1, 2]\ngone = 1\nkept = 4\n[t.inner]\nx = 1\n",
    )
    tree = {"list": [3], "kept": 4, "inner": {"x": 1, "y": 2}}
    assert read_source(own).tree == {"based_on": "a.toml", "t": tree}


def test_a_key_has_the_file_and_line_that_set_it(tmp_path: Path) -> None:
    own = write(
        tmp_path,
        c='based_on = "b.toml"\n\n[t]\nz = 3\n',
        b='based_on = "a.toml"\n[t]\ny = 2\nz = 2\n',
        a="# first\n[t]\nx = 1\ny = 1\nz = 1\n",
    )
    source = read_source(own)
    places = {key: str(source.place("t", key)) for key in "xyz"}
    assert places == {"x": "a.toml:3", "y": "b.toml:3", "z": "c.toml:4"}
    assert str(source.place("t", "absent")) == "c.toml:3"
    assert str(source.place("absent")) == "c.toml:1"
    assert [file.path.name for file in source.files] == ["c.toml", "b.toml", "a.toml"]


@pytest.mark.parametrize(
    ("below", "above", "want"),
    [
        ({"median": 1, "gsd": 2}, {"median": 3}, {"median": 3, "gsd": 2}),
        ({"median": 1, "gsd": 2}, {"fixed": 3}, {"fixed": 3}),
        (
            {"dist": "Normal", "loc": 0, "scale": 1},
            {"dist": "HalfNormal", "scale": 2},
            {"dist": "HalfNormal", "scale": 2},
        ),
        (
            {"dist": "Normal", "loc": 0, "scale": 1},
            {"dist": "Normal", "scale": 2},
            {"dist": "Normal", "loc": 0, "scale": 2},
        ),
        (
            {"fixed": 1, "source": "x"},
            {"column": "W", "source": "drop"},
            {"column": "W"},
        ),
        # parameters that have the names of those keys are tables, not numbers
        (
            {"fixed": {"fixed": 1}},
            {"median": {"fixed": 2}},
            {"fixed": {"fixed": 1}, "median": {"fixed": 2}},
        ),
    ],
)
def test_a_number_said_anew_replaces_the_old_one(
    below: dict, above: dict, want: dict
) -> None:
    assert merge({"ka": below}, {"ka": above}) == {"ka": want}


names = st.sampled_from(["a", "b", "c"])
leaves = st.one_of(st.integers(0, 3), st.lists(st.integers(0, 3), max_size=2))
trees = st.recursive(
    leaves, lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=10
)
tables = st.dictionaries(names, trees, max_size=3)


def leaf(tree: Any, path: tuple[str, ...]) -> Any:
    """What lies at a path, by going down one key at a time."""
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def leaf_paths(tree: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(tree, dict):
        return [path]
    return [found for key in tree for found in leaf_paths(tree[key], (*path, key))]


@settings(max_examples=200, deadline=None)
@given(tables, tables)
def test_every_leaf_above_wins_and_every_other_stays(below: dict, above: dict) -> None:
    merged = merge(below, above)
    for path in leaf_paths(above):
        if path:
            assert leaf(merged, path) == leaf(above, path)
    for path in leaf_paths(below):
        # what the file above says at this path, and at the tables on the way to it
        steps = [leaf(above, path[:n]) for n in range(1, len(path) + 1)]
        hidden = any(step is not None and type(step) is not dict for step in steps)
        if path and not hidden and steps[-1] is None:
            assert leaf(merged, path) == leaf(below, path)


@settings(max_examples=50, deadline=None)
@given(tables)
def test_merging_nothing_changes_nothing(tree: dict) -> None:
    assert merge(tree, {}) == tree == merge({}, tree)
    assert merge(tree, dict.fromkeys(tree, DROP)) == {}


def test_circle(tmp_path: Path) -> None:
    own = write(tmp_path, a='based_on = "b.toml"', b='\nbased_on = "a.toml"')
    want = "b.toml:2: based_on goes in a circle: a.toml -> b.toml -> a.toml"
    assert refused(own) == want
    assert "circle: s.toml -> s.toml" in refused(
        write(tmp_path, s='based_on = "s.toml"')
    )


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("x = 1\ny = = 2\n", "own.toml:2: not TOML: Invalid value"),
        ("x = 1\nx = 2\n", "own.toml:2: not TOML: Cannot overwrite a value"),
        ("[t\n", "own.toml:1: not TOML: Expected ']'"),
        ('x = "', "own.toml:1: not TOML: Unterminated string"),
        ('\nbased_on = "no.toml"', "own.toml:2: based_on: cannot read"),
        ("based_on = 3", "own.toml:1: based_on: got 3: write a file's name"),
        ('[t]\nx = "drop"', 'own.toml:2: t.x: got "drop", but no file below sets'),
    ],
)
def test_refusals(tmp_path: Path, text: str, want: str) -> None:
    assert refused(write(tmp_path, own=text)).startswith(want)


def test_not_utf8_and_a_byte_order_mark(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_bytes("x = 1\ny = 'é'".encode("latin-1"))
    assert refused(own) == "own.toml:2: not UTF-8: save it as UTF-8"
    own.write_bytes("\ufeffx = 1".encode())
    assert read_source(own).tree == {"x": 1}


def test_all_errors_are_kept_and_counted(tmp_path: Path) -> None:
    own = write(tmp_path, own='x = "drop"\ny = "drop"\nz = "drop"')
    with pytest.raises(
        FitError, match=r"own.toml:1: x: .* \(and 2 more errors\)"
    ) as got:
        read_source(own)
    assert len(got.value.sentences) == 3


def test_file_names_are_relative_to_the_file_that_says_them(tmp_path: Path) -> None:
    write(tmp_path / "low", a='model = "m.py"\n[data]\nfile = "../data/d.csv"\n')
    own = write(tmp_path / "high" / "er", b='based_on = "../../low/a.toml"')
    tree = read_source(own).tree
    assert tree["model"] == "../../low/m.py"
    assert tree["data"] == {"file": "../../data/d.csv"}


def test_an_absolute_name_stays() -> None:
    assert relocate("/opt/m.py", Path("/a"), Path("/b")) == "/opt/m.py"
