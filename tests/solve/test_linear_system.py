"""The small dense solve, against NumPy and LAPACK."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imak_pkpd.solve.linear_system import solver_of, swept


def random_matrices(states: int) -> np.ndarray:
    """Seven of them, as of a step: the identity less what is moved."""
    moved = np.random.default_rng(states).normal(size=(7, states, states))
    return np.eye(states) - 0.5 * moved


@pytest.mark.parametrize("states", [1, 2, 5, 19])
def test_the_inverse_of_many_at_once(states: int) -> None:
    """To rounding times the condition: below 1e5 here, so 1e-10."""
    matrices = random_matrices(states)
    found = jax.jit(jax.vmap(swept))(jnp.asarray(matrices))
    np.testing.assert_allclose(found, np.linalg.inv(matrices), rtol=1e-9, atol=1e-10)


def test_units_change_no_digit() -> None:
    """Powers of 2 as units: what is a pivot does not depend on them."""
    matrix, unit = random_matrices(5)[0], 2.0 ** np.array([0, 40, -30, 7, -60])
    scaled = matrix * unit[:, None] / unit[None, :]
    found = np.asarray(swept(jnp.asarray(scaled))) / unit[:, None] * unit[None, :]
    np.testing.assert_array_equal(found, swept(jnp.asarray(matrix)))


def test_a_pivot_of_zero_waits() -> None:
    matrix = np.array([[0.0, 2.0, 1.0], [3.0, 1.0, 0.0], [0.0, 4.0, 0.0]])
    found = np.asarray(swept(jnp.asarray(matrix)))
    np.testing.assert_allclose(found, np.linalg.inv(matrix), rtol=1e-14, atol=1e-15)


def test_a_singular_matrix_is_not_finite_and_alone() -> None:
    matrices = random_matrices(3)
    matrices[4] = 1.0
    found = np.asarray(jax.vmap(swept)(jnp.asarray(matrices)))
    finite = np.isfinite(found).all((1, 2))
    assert list(np.flatnonzero(~finite)) == [4]


def solved(matrix: jax.Array, right: jax.Array) -> jax.Array:
    return jnp.sum(jnp.sin(solver_of(matrix)(right)))


def solved_by_lapack(matrix: jax.Array, right: jax.Array) -> jax.Array:
    return jnp.sum(jnp.sin(jnp.linalg.solve(matrix, right)))


def test_first_and_second_derivatives_are_those_of_lapack() -> None:
    matrix = jnp.asarray(random_matrices(4)[1])
    right = jnp.arange(1.0, 5.0)
    for order in (jax.grad, jax.jacfwd, jax.hessian):
        for argument in (0, 1):
            ours = order(solved, argument)(matrix, right)
            theirs = order(solved_by_lapack, argument)(matrix, right)
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
