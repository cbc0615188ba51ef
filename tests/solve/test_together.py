"""So many rows at once, by equal parts, against one after the other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from imak_pkpd.solve.together import map_together, part_of


def one(row: tuple[jax.Array, jax.Array]) -> dict[str, jax.Array]:
    x, n = row
    return {"sum": jnp.sin(x).sum() + n, "x": x * n}


@settings(deadline=None, max_examples=25)  # each compiles
@given(st.integers(1, 40), st.integers(0, 12))
def test_every_row_is_what_it_is_alone(rows: int, most: int) -> None:
    x = np.random.default_rng(rows).normal(size=(rows, 3))
    found = map_together(one, (jnp.asarray(x), jnp.arange(rows)), most)
    np.testing.assert_allclose(found["sum"], np.sin(x).sum(1) + np.arange(rows))
    np.testing.assert_allclose(found["x"], x * np.arange(rows)[:, None])


@given(st.integers(1, 5000), st.integers(1, 600))
def test_a_part_is_neither_too_large_nor_much_too_small(rows: int, most: int) -> None:
    part = part_of(rows, most)
    assert min(most, rows) / 2 < part <= min(most, rows)
    larger = range(part + 1, min(most, rows) + 1)
    assert part == most or not any(rows % n == 0 for n in larger)


@pytest.mark.parametrize(("rows", "most"), [(20, 8), (64, 15), (3300, 64), (7, 1)])
def test_nothing_is_left_over_where_that_can_be(rows: int, most: int) -> None:
    """What is left over would be the function in the program once more."""
    program = jax.jit(lambda x: map_together(jnp.tan, x, most))
    assert program.lower(jnp.zeros(rows)).as_text().count("stablehlo.tan") == 1
