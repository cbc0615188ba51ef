"""One check of every model file that is shipped or used by other tests."""

import ast
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imak_pkpd.model import (
    AbstractStatic,
    AnyModel,
    Inputs,
    covariates_read,
    load_model,
    model_source,
    parameters,
)

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for folder in ("models", "tests/reference_models", "benchmarks/imak_5")
    for path in (ROOT / folder).glob("*.py")
)
MAY_IMPORT = {"collections", "typing", "jax", "imak_pkpd"}
PURE = {  # numbers without a unit: shares, exponents, folds, codes, potencies
    *("F", "F2", "eH", "fs", "cul_hill", "cd20", "unrelated", "cy_Emax_ind", "don_fb"),
    *("don_fallo", "don_space", "rej_f", "chi_den", "tum_eN", "tum_eB", "rtx_alpha"),
    *("shape", "tox_beta", "tox_c1", "tox_c2", "tox_c3", "tox_c4"),
    *("chimerism", "chi_fp", "positive", "clonogenic", "cytokine_peak"),
    *("grade_1", "grade_2", "grade_3", "grade_4"),
    *("gvhd", "recovery"),
}


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def model(path: Path) -> type[AnyModel]:
    return load_model(path)


def test_docstring_has_equations_and_a_reference(path: Path) -> None:
    text = ast.get_docstring(ast.parse(model_source(path).text))
    assert text is not None
    assert " = " in text
    assert "Reference:" in text or path.parts[-3] == "benchmarks"


def test_imports_of_ours_are_from_the_model_room(path: Path) -> None:
    for node in ast.walk(ast.parse(model_source(path).text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        for name in names:
            assert name.split(".")[0] in MAY_IMPORT
            assert name == "imak_pkpd.model" or not name.startswith("imak_pkpd")


def test_parameters_say_what_they_mean(model: type[AnyModel]) -> None:
    assert parameters(model)
    for info in parameters(model).values():
        assert info.meaning, info.name
        assert info.unit or info.scale == "logit" or info.name in PURE, info.name
    assert model.time or issubclass(model, AbstractStatic)  # eight schools has none
    for name, unit in {**model.doses, **model.outputs}.items():
        assert unit or name in PURE, name


def test_rates_and_outputs_are_finite_with_gradients(model: type[AnyModel]) -> None:
    """At 0.5 on every parameter, one of everything given."""
    half = {name: jnp.asarray(0.5) for name in parameters(model)}
    inputs = Inputs(
        dict.fromkeys(model.doses, jnp.ones(())),
        dict.fromkeys(covariates_read(model), jnp.ones(())),
    )

    def total(values: dict[str, jax.Array]) -> jax.Array:
        return sum(jax.tree.leaves(everything(model(**values), inputs)), jnp.zeros(()))

    value, slopes = jax.value_and_grad(total)(half)
    assert np.isfinite(value)
    assert all(np.isfinite(slope) for slope in slopes.values())


def everything(model: AnyModel, inputs: Inputs) -> list:
    """All that the model's methods return, once each."""
    t = jnp.ones(())
    if isinstance(model, AbstractStatic):
        return [model.observe(t, inputs)]
    state = model.initial(inputs)
    for name in model.doses:
        state = model.dose(state, name, jnp.ones(()))
    rates, seen = model.rates(t, state, inputs), model.observe(t, state, inputs)
    return [rates, seen, [model.dosing(name) for name in model.doses]]


def test_a_dose_of_nothing_changes_nothing(model: type[AnyModel]) -> None:
    if issubclass(model, AbstractStatic):
        pytest.skip("a static model takes no doses")
    one = model(**dict.fromkeys(parameters(model), jnp.asarray(0.5)))
    state = one.initial(Inputs({}, dict.fromkeys(covariates_read(model), 1.0)))
    for name in model.doses:
        assert one.dose(state, name, jnp.zeros(())) == state
