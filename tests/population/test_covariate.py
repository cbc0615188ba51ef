"""Covariate effects against their formulas, written out in numpy."""

import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from imak_pkpd.population.covariate import CovariateBlock, Effect, Values

ANY = TypeAdapter(CovariateBlock)
FREE = {"dist": "Normal"}
B = 0.4
X = np.array([[2.0], [5.0], [9.0]])


def effect(raw: dict, x: np.ndarray = X, levels: tuple[str, ...] = ()) -> Effect:
    block = ANY.validate_python(raw)
    known = {site: jnp.asarray(B) for site in block.coefficients("beta_p_x")}
    return block.apply(Values(jnp.asarray(x), levels), known, "beta_p_x")


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        ({"form": "power", "reference": 4.0, "exponent": FREE}, (X / 4.0) ** B),
        ({"form": "exponential", "reference": 4.0, "slope": FREE}, np.exp(B * (X - 4))),
        ({"form": "linear", "reference": 4.0, "slope": FREE}, 1 + B * (X - 4)),
        ({"form": "indicator", "below": 5.0, "effect": FREE}, [[1.4], [1.0], [1.0]]),
        ({"form": "indicator", "above": 5.0, "effect": FREE}, [[1.0], [1.0], [1.4]]),
    ],
)
def test_the_factor_of_a_parameter_on_the_log_scale(raw: dict, want: object) -> None:
    got = effect(raw)
    total = jnp.exp(got.added) * got.factor
    np.testing.assert_allclose(jnp.broadcast_to(total, X.shape), want, rtol=1e-14)


def test_categories_by_name_and_by_number() -> None:
    raw = {"form": "categorical", "reference": "F", "effect": {"M": FREE, "X": FREE}}
    codes = np.array([[0.0], [1.0], [2.0]])  # places in the sorted names F, M, X
    added = effect(raw, codes, ("F", "M", "X")).added
    np.testing.assert_array_equal(added, [[0.0], [B], [B]])
    numeric = {"form": "categorical", "reference": 0, "effect": {"1": FREE}}
    np.testing.assert_array_equal(effect(numeric, codes[:2]).added, [[0.0], [B]])


def test_sites_and_strangers_of_categories() -> None:
    raw = {"form": "categorical", "reference": "F", "effect": {"M": FREE}}
    block = ANY.validate_python(raw)
    assert list(block.coefficients("beta_CL_SEX")) == ["beta_CL_SEX_M"]
    assert block.strangers(("F", "M", "U")) == ("U",)


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        ({"form": "indicator", "effect": FREE}, "either 'below' or 'above'"),
        (
            {"form": "indicator", "below": 1.0, "above": 2.0, "effect": FREE},
            "either 'below' or 'above'",
        ),
        ({"form": "power", "reference": 0.0, "exponent": FREE}, "greater than 0"),
        (
            {"form": "categorical", "reference": "F", "effect": {"F": FREE}},
            "is the reference",
        ),
        ({"form": "categorical", "reference": "F", "effect": {}}, "at least 1"),
        (
            {"form": "linear", "reference": 1.0, "slope": {"column": "B"}},
            "a coefficient is { fixed }",
        ),
        ({"form": "powr", "reference": 1.0}, "'power'"),
    ],
)
def test_refusals(raw: dict, want: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ANY.validate_python(raw)
    assert want in caught.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("form", "scale", "good"),
    [
        ("power", "log", True),
        ("power", "identity", False),
        ("linear", "identity", True),
        ("linear", "logit", False),
    ],
)
def test_the_scales_of_a_form(form: str, scale: str, good: bool) -> None:
    key = {"power": "exponent", "linear": "slope"}[form]
    block = ANY.validate_python({"form": form, "reference": 1.0, key: FREE})
    assert (block.problem(scale) is None) == good
