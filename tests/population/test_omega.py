"""[omega]: SDs, correlated blocks, and the form of each eta."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from numpyro import handlers
from pydantic import ValidationError

from imak_pkpd.population.form import resolve_forms
from imak_pkpd.population.omega import OmegaBlock
from imak_pkpd.population.spread import Spread, sample_omega

HALF = {"dist": "HalfNormal", "scale": 1.0}
WISHART = {"parameters": ["CL", "V"], "dist": "InverseWishart", "df": 2.0}


def block(**raw: object) -> OmegaBlock:
    return OmegaBlock.model_validate(raw)


def log_jacobian(cholesky: np.ndarray) -> float:
    """ln |d(L L') / dL| of a lower factor: p ln 2 + sum (p - i) ln L_ii, i from 0."""
    p = len(cholesky)
    powers = np.arange(p, 0, -1)
    return p * np.log(2) + float(powers @ np.log(np.diag(cholesky)))


@pytest.mark.parametrize("scale", [[0.08, 0.3], [[0.08, 0.02], [0.02, 0.3]]])
@pytest.mark.parametrize("df", [2.0, 5.5])
def test_inverse_wishart_is_the_density_of_scipy(scale: list, df: float) -> None:
    omega = block(covariance=WISHART | {"df": df, "scale": scale})
    name, prior = omega.covariance[0].site()
    factor = np.array([[0.3, 0.0], [-0.1, 0.5]])
    matrix = np.diag(scale) if np.ndim(scale) == 1 else np.array(scale)
    want = scipy.stats.invwishart(df, matrix).logpdf(factor @ factor.T)
    got = float(prior.log_prob(jnp.asarray(factor)))
    assert name == "cholesky_CL_V"
    assert got == pytest.approx(want + log_jacobian(factor), rel=1e-12)  # closed forms


def test_inverse_wishart_draws_have_its_mean() -> None:
    """E[O] = scale / (df - p - 1), to 4 standard errors of 20,000 draws."""
    omega = block(covariance=WISHART | {"df": 9.0, "scale": [1.0, 2.0]})
    factor = np.asarray(
        omega.covariance[0].site()[1].sample(jax.random.key(1), (20_000,))
    )
    draws = factor @ factor.transpose(0, 2, 1)
    error = draws.std(0) / np.sqrt(len(draws))
    assert (abs(draws.mean(0) - np.diag([1.0, 2.0]) / 6.0) < 4 * error).all()


def spread(omega: OmegaBlock) -> tuple[Spread, dict]:
    seeded = handlers.seed(sample_omega, jax.random.key(3))
    with handlers.trace() as sites:
        drawn = seeded(omega, {})
    return drawn, {name: site["value"] for name, site in sites.items()}


def test_names_and_factor_of_a_covariance() -> None:
    drawn, sites = spread(block(covariance=WISHART | {"scale": [0.08, 0.08]}))
    matrix = np.asarray(drawn.factor["CL_V"] @ drawn.factor["CL_V"].T)
    sd = np.sqrt(np.diag(matrix))
    assert set(sites) == {"cholesky_CL_V", "omega_CL", "omega_V", "corr_CL_V"}
    np.testing.assert_allclose([sites["omega_CL"], sites["omega_V"]], sd, rtol=1e-12)
    np.testing.assert_allclose(sites["corr_CL_V"], matrix[1, 0] / sd.prod(), rtol=1e-12)


def test_names_and_factor_of_a_correlation() -> None:
    lkj = {"parameters": ["a", "b", "c"], "lkj": 2.0}
    drawn, sites = spread(block(a=HALF, b=HALF, c=HALF, d=HALF, correlation=lkj))
    pairs = {"corr_a_b", "corr_a_c", "corr_b_c"}
    sd = np.array([sites[f"omega_{name}"] for name in "abc"])
    matrix = np.asarray(drawn.factor["a_b_c"] @ drawn.factor["a_b_c"].T)
    assert set(sites) == pairs | {"cholesky_a_b_c"} | {f"omega_{n}" for n in "abcd"}
    np.testing.assert_allclose(np.sqrt(np.diag(matrix)), sd, rtol=1e-12)
    correlation = matrix / np.outer(sd, sd)
    np.testing.assert_allclose(sites["corr_b_c"], correlation[2, 1], rtol=1e-12)


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        ({"correlation": {"parameters": ["a", "b"], "lkj": 1.0}}, "'a' is correlated"),
        (
            {
                "a": HALF,
                "covariance": WISHART | {"parameters": ["a", "b"], "scale": [1, 1]},
            },
            "'a' has an SD of its own",
        ),
        ({"covariance": WISHART | {"df": 1.0, "scale": [1, 1]}}, "need df > 1"),
        ({"covariance": WISHART | {"scale": [1, 1, 1]}}, "got a scale of shape (3, 3)"),
        (
            {"covariance": WISHART | {"scale": [[1, 2], [2, 1]]}},
            "positive definite",
        ),
        ({"covariance": WISHART | {"scale": [[1, 2], [0, 1]]}}, "symmetric"),
        ({"covariance": WISHART | {"scale": "one"}}, "convert string"),
        ({"covariance": WISHART | {"scale": {"a": 1}}}, "write a list of numbers"),
        ({"correlation": 3}, "valid tuple"),
        ({"correlation": {"parameters": ["a"], "lkj": 1.0}}, "at least 2"),
        (
            {
                "a": HALF,
                "b": HALF,
                "c": HALF,
                "correlation": [
                    {"parameters": ["a", "b"], "lkj": 1.0},
                    {"parameters": ["b", "c"], "lkj": 1.0},
                ],
            },
            "'b' is in two blocks",
        ),
        (
            {
                "a": HALF | {"form": "z"},
                "b": HALF | {"form": "deviation"},
                "correlation": {"parameters": ["a", "b"], "lkj": 1.0},
            },
            "has form deviation and z",
        ),
        (
            {
                "a": HALF,
                "b": HALF,
                "form": "centred",
                "correlation": {"parameters": ["a", "b"], "lkj": 1.0},
            },
            "has form centred",
        ),
        (
            {
                "a": HALF,
                "b": {"column": "SD"},
                "correlation": {"parameters": ["a", "b"], "lkj": 1.0},
            },
            "'b' has its SD from a column",
        ),
        ({"a": {"fixed": 0.0}}, "an SD or a variance is positive"),
        ({"a": HALF | {"form": "zz"}}, "'auto', 'z', 'centred' or 'deviation'"),
        ({"a": HALF | {"frm": "z"}}, "'frm' (did you mean 'form'?)"),
    ],
)
def test_refusals(raw: dict, want: str) -> None:
    with pytest.raises(ValidationError) as caught:
        OmegaBlock.model_validate(raw)
    assert want in caught.value.errors()[0]["msg"]


def test_auto_takes_deviations_from_three_observations_per_effect() -> None:
    omega = block(ka=HALF, V=HALF, CL=HALF)
    assert set(resolve_forms(omega, [8, 9, 30]).values()) == {"deviation"}
    assert set(resolve_forms(omega, [9, 0, 0, 0]).values()) == {"deviation"}
    assert set(resolve_forms(omega, [0]).values()) == {"z"}
    assert set(resolve_forms(omega, [8, 8, 30]).values()) == {"z"}


def test_a_line_a_block_and_the_table_say_their_form() -> None:
    lkj = {"parameters": ["b", "c"], "lkj": 1.0, "form": "deviation"}
    omega = block(
        a=HALF | {"form": "centred"}, b=HALF, c=HALF, d=HALF, form="z", correlation=lkj
    )
    assert resolve_forms(omega, [0]) == {
        "a": "centred",
        "b": "deviation",
        "c": "deviation",
        "d": "z",
    }
