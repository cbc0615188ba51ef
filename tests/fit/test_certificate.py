"""Quality of weights, against weights whose tail is known."""

import numpy as np
import pytest

from imak_pkpd.fit.certificate import Likelihood, certify, tail_shape


@pytest.mark.parametrize("shape", [0.3, 0.7, 1.0])
def test_k_hat_is_the_shape_of_the_tail_of_the_weights(shape: float) -> None:
    """u^-k of a uniform u has a Pareto tail of shape k; of 1/w it would have none.

    The error of k-hat from n in the tail is about (1 + k)/sqrt(n) (Hosking & Wallis
    1987, Technometrics 29:339): of 3 sqrt(20,000) = 424 values 0.1 at k = 1.
    """
    uniform = np.random.default_rng(0).random(20_000)
    assert tail_shape(-shape * np.log(uniform)) == pytest.approx(shape, abs=0.3)


def test_bounded_weights_have_a_light_tail() -> None:
    """A normal likelihood of a wide prior: no weight is far above the others."""
    distance = 10.0 * np.random.default_rng(0).standard_normal(20_000)
    assert tail_shape(-0.5 * distance**2) < 0.0


def test_equal_largest_weights_have_no_tail() -> None:
    assert tail_shape(np.repeat([0.0, -1.0], 100)) == -np.inf


def differing_by(delta: np.ndarray) -> tuple[Likelihood, Likelihood]:
    """Log-likelihoods by record on the mesh and by the reference, of numbered draws."""
    ours = np.random.default_rng(1).standard_normal(delta.shape)
    mesh = lambda at: ours[at[:, 0].astype(int)]  # noqa: E731
    true = lambda at: (ours + delta)[at[:, 0].astype(int)]  # noqa: E731
    return mesh, true


def test_the_certificate_of_known_differences() -> None:
    """Of three subjects with four records the second's third is off, by a normal of SD
    0.002: its SD and 99th percentile, 2.58 SD, to 4 errors of 2,000 draws."""
    error = 0.002 * np.random.default_rng(2).standard_normal(2000)
    delta = np.zeros((2000, 3, 4))
    delta[:, 1, 2] = 5.0 + error  # what all draws have in common does not matter
    delta[:, 2, 0] = 3.0
    draws = np.arange(2000.0)[:, None]
    found = certify(*differing_by(delta), draws, draws[:0], 33)
    assert found.certified
    assert (found.worst_subject, found.worst_record) == (1, 2)
    assert found.sd == pytest.approx(0.002, rel=4 / np.sqrt(2 * 2000))
    assert found.p99 == pytest.approx(2.576 * 0.002, rel=0.15)
    assert found.efficiency == pytest.approx(1.0, abs=1e-4)


def test_draws_that_fail_on_the_mesh_alone_are_counted() -> None:
    """Two of the posterior, and of three rejected proposals those two that solve."""
    mesh, true = differing_by(np.zeros((10, 2, 1)))
    broken = lambda at: np.where(np.isin(at[..., None], [3, 7]), -np.inf, mesh(at))  # noqa: E731
    unsolved = lambda at: np.where(at[..., None] == 9, -np.inf, true(at))  # noqa: E731
    draws = np.arange(9.0)[:, None]
    found = certify(broken, unsolved, draws, np.array([[8.0], [9.0], [1.0]]), 2)
    assert found.mesh_failed == 2 + 2
    assert not found.certified
