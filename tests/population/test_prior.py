"""Priors: NumPyro's names, the scale they live on, and refusals in one sentence."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings, strategies as st
from numpyro import handlers
from pydantic import ValidationError

from imak_pkpd.model import to_scale
from imak_pkpd.population.prior import PriorBlock, ThetaBlock, positive, sample_number

EXACT = 1e-12  # the same closed form in float64, some roundings apart


def sentence(error: ValidationError) -> str:
    return error.errors()[0]["msg"]


@settings(max_examples=20, deadline=None)
@given(
    median=st.floats(1e-3, 1e9),
    gsd=st.floats(1.01, 10),
    x=st.floats(-3, 3),  # standard deviations from the median
)
def test_median_gsd_of_theta_is_log_normal(median: float, gsd: float, x: float) -> None:
    block = ThetaBlock(median=median, gsd=gsd)
    theta = math.log(median) + x * math.log(gsd)
    got = block.distribution("log", to_scale).log_prob(theta)
    natural = math.exp(theta)
    want = scipy.stats.lognorm(s=math.log(gsd), scale=median).logpdf(natural)
    # the density of theta is that of exp(theta) times exp(theta); 1e-9: theta - ln m
    # loses the digits of ln m
    assert float(got) == pytest.approx(want + theta, rel=1e-9, abs=1e-9)


def test_median_sd_of_theta_is_normal_on_the_scale() -> None:
    block = ThetaBlock(median=0.2, sd=0.7)
    got = block.distribution("logit", to_scale).log_prob(-1.0)
    want = scipy.stats.norm(math.log(0.2 / 0.8), 0.7).logpdf(-1.0)
    assert float(got) == pytest.approx(want, rel=EXACT)


@pytest.mark.parametrize(
    ("raw", "reference"),
    [
        ({"dist": "HalfNormal", "scale": 0.5}, scipy.stats.halfnorm(scale=0.5)),
        ({"dist": "HalfCauchy", "scale": 5.0}, scipy.stats.halfcauchy(scale=5)),
        (
            {"dist": "InverseGamma", "concentration": 0.5, "rate": 0.025},
            scipy.stats.invgamma(0.5, scale=0.025),
        ),
        ({"median": 0.3, "gsd": 1.5}, scipy.stats.lognorm(math.log(1.5), scale=0.3)),
        ({"median": 0.3, "sd": 0.1}, scipy.stats.norm(0.3, 0.1)),
    ],
)
def test_a_number_has_the_density_it_names(raw: dict, reference: object) -> None:
    at = np.array([0.05, 0.4, 1.7])
    got = PriorBlock.model_validate(raw).distribution().log_prob(at)
    np.testing.assert_allclose(got, reference.logpdf(at), rtol=EXACT)


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        (
            {"meadian": 1.0, "gsd": 2.0},
            "'meadian' (did you mean 'median'?)",
        ),
        ({"dist": "HalfNorml"}, "'HalfNorml' (did you mean 'HalfNormal'?)"),
        (
            {"dist": "HalfNormal", "scael": 1.0},
            "unknown argument of HalfNormal 'scael' (did you mean 'scale'?)",
        ),
        ({"dist": "HalfNormal", "scale": -1.0}, "HalfNormal refuses its arguments"),
        ({"dist": "Beta"}, "Beta needs concentration0 and concentration1"),
        ({"dist": "Poisson", "rate": 1.0}, "not a distribution of one real number"),
        ({"dist": "Delta", "v": 1.0}, "unknown distribution 'Delta'"),
        ({"dist": 3}, "unknown distribution 3"),
        ({"median": 1.0}, "got median with no spread"),
        ({"median": 1.0, "gsd": 2.0, "sd": 1.0}, "got median with gsd and sd"),
        ({"median": -1.0, "gsd": 2.0}, "with a gsd it must be positive"),
        ({"fixed": 1.0, "gsd": 2.0}, "got fixed with gsd"),
        ({"fixed": 1.0, "column": "WT"}, "got fixed and column"),
        ({}, "got no value"),
        (3.0, "got 3.0: write { fixed }"),
        ({"fixed": True}, "valid number"),
        ({"fixed": math.nan}, "finite number"),
    ],
)
def test_refusals(raw: object, want: str) -> None:
    with pytest.raises(ValidationError) as caught:
        PriorBlock.model_validate(raw)
    assert want in sentence(caught.value)


@pytest.mark.parametrize(
    ("raw", "scale", "want"),
    [
        ({"median": 2.0, "gsd": 1.5}, "identity", "a gsd needs a parameter on the log"),
        ({"dist": "HalfNormal", "scale": 1.0}, "log", "does not cover the real line"),
        ({"dist": "Uniform", "low": 0.0, "high": 1.0}, "logit", "the real line"),
        ({"fixed": 0.0}, "log", "a parameter on the log scale is positive"),
        ({"median": 1.5, "sd": 1.0}, "logit", "lies between 0 and 1"),
    ],
)
def test_what_a_scale_refuses(raw: dict, scale: str, want: str) -> None:
    assert want in (ThetaBlock.model_validate(raw).problem(scale) or "")


@pytest.mark.parametrize(
    ("raw", "scale"),
    [
        ({"median": 2.0, "gsd": 1.5}, "log"),
        ({"dist": "StudentT", "df": 3.0}, "logit"),
        ({"dist": "HalfNormal", "scale": 1.0}, "identity"),
        ({"fixed": -3.0}, "identity"),
        ({"column": "WT"}, "log"),
    ],
)
def test_what_a_scale_takes(raw: dict, scale: str) -> None:
    assert ThetaBlock.model_validate(raw).problem(scale) is None


def test_zero_switches_off_what_nothing_moves() -> None:
    off = ThetaBlock(fixed=0.0)
    assert off.problem("log", moved=False) is None
    assert off.problem("log", moved=True) is not None


@pytest.mark.parametrize("raw", [{"fixed": 0.0}, {"dist": "Normal"}])
def test_an_sd_must_be_positive(raw: dict) -> None:
    with pytest.raises(ValueError, match="SD or a variance"):
        positive(PriorBlock.model_validate(raw))


def test_a_variance_prior_gives_an_sd() -> None:
    block = PriorBlock(dist="InverseGamma", concentration=2.0, rate=1.0, of="variance")
    traced = handlers.trace(handlers.seed(sample_number, jax.random.key(0)))
    sites = traced.get_trace("sigma", block, {})
    variance = sites["sigma_variance"]["value"]
    assert float(sites["sigma"]["value"]) == pytest.approx(float(variance) ** 0.5)


def test_fixed_and_column_have_no_site() -> None:
    column = {"SIGMA": jnp.array([15.0, 10.0])}
    assert float(sample_number("s", PriorBlock(fixed=9.0, of="variance"), {})) == 3.0
    read = sample_number("s", PriorBlock(column="SIGMA"), column)
    np.testing.assert_array_equal(read, [15.0, 10.0])


def test_a_block_prints_as_it_is_written() -> None:
    assert str(PriorBlock(dist="HalfNormal", scale=0.5, source="x")) == (
        "HalfNormal(scale = 0.5)"
    )
    assert str(ThetaBlock(median=3.0, gsd=1.6)) == "median = 3.0, gsd = 1.6"
