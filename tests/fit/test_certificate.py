"""Quality of weights, against weights whose tail is known."""

import numpy as np
import pytest

from imak_pkpd.fit.certificate import tail_shape


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
