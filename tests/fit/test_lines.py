"""The line of every key, on texts written by hand and by hypothesis."""

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from imak_pkpd.fit.lines import Key, key_lines

TEXT = '''# a comment with [brackets] = "and" more
problem = "a = b # no comment"
dotted.inner . "quoted key" = 1
[theta]
ka = { median = 1.5, gsd = 4.5, source = "{ [ ] }" }  # = [x]
  V  = { fixed = 1e-3 }
[omega]
correlation = [
    { parameters = ["a",  # first
                    "b"], lkj = 2.0 },
    { parameters = ["c", "d"], lkj = 1.0 },
]
[covariate.CL]
WT.form = "power"
WT.exponent.fixed = 0.75
text = """
[not.a.table] = 1
\\""" still text"""""
literal = \'\'\'
key = 1\'\'\'
date = 1979-05-27 07:32:00
[[run]]
n = 1
[run.inner]
m = 2
[[run]]
n = [[1, 2],
     [3]]
[run.'inner']
m = 3
"ключ" = true
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("problem",), 2),
        (("dotted",), 3),
        (("dotted", "inner", "quoted key"), 3),
        (("theta",), 4),
        (("theta", "ka", "gsd"), 5),
        (("theta", "V", "fixed"), 6),
        (("omega", "correlation"), 8),
        (("omega", "correlation", 0, "parameters", 1), 10),
        (("omega", "correlation", 0, "lkj"), 10),
        (("omega", "correlation", 1), 11),
        (("covariate", "CL"), 13),
        (("covariate", "CL", "WT", "form"), 14),
        (("covariate", "CL", "WT", "exponent", "fixed"), 15),
        (("covariate", "CL", "text"), 16),
        (("covariate", "CL", "literal"), 19),
        (("covariate", "CL", "date"), 21),
        (("run", 0, "n"), 23),
        (("run", 0, "inner", "m"), 25),
        (("run", 1), 26),
        (("run", 1, "n", 1, 0), 28),
        (("run", 1, "inner", "m"), 30),
        (("run", 1, "inner", "ключ"), 31),
    ],
)
def test_the_line_of_a_key(path: Key, line: int) -> None:
    assert key_lines(TEXT)[path] == line


def paths(value: Any, path: Key = ()) -> set[Key]:
    """The paths of a value as tomllib reads it."""
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    else:
        return {path}
    return {path} | {
        found for key, each in inner for found in paths(each, (*path, key))
    }


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_path_of_tomllib_has_a_line_and_no_other(end: str) -> None:
    text = TEXT.replace("\n", end)
    assert {(), *key_lines(text)} == paths(tomllib.loads(text))


words = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=8)
scalars = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    words,
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)
    ),
    max_leaves=8,
)


def written(value: Any) -> str:
    """The value as TOML; JSON's strings, numbers and lists are TOML's."""
    if isinstance(value, dict):
        pairs = (
            f"{json.dumps(key, ensure_ascii=False)} = {written(each)}"
            for key, each in value.items()
        )
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(written(each) for each in value) + "]"
    # JSON writes characters beyond 16 bits as two escapes, which TOML refuses
    return json.dumps(value, ensure_ascii=False)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(words, values, max_size=4), st.data())
def test_any_document(tree: dict, data: st.DataObject) -> None:
    lines, where = [], {}
    for key, value in tree.items():
        gap = data.draw(st.integers(0, 2))
        lines += ["# = [ { \" '"] * gap + [f"{json.dumps(key, ensure_ascii=False)} = "]
        lines[-1] += written(value)
        where[key] = len(lines)
    text = "\n".join(lines)
    read = tomllib.loads(text)
    got = key_lines(text)
    assert {(), *got} == paths(read)
    assert all(got[path] == where[path[0]] for path in got)
