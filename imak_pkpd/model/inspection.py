"""What can be wrong with a model class, found by tracing it without any data.

`check`           refuses a class that contradicts what it declares.
`covariates_read` the covariates that the model looks at.
`infusions_read`  the dose names that `rates` can take an infusion of.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, cast

import jax
import jax.numpy as jnp

from imak_pkpd.model.abstract import (
    AbstractLinear,
    AbstractStatic,
    AnyModel,
    Dosing,
    Inputs,
)
from imak_pkpd.model.dependence import reads
from imak_pkpd.model.linearity import check_forcing, check_linear
from imak_pkpd.model.probe import Asked, instance_of

Call = Callable[[Any, Any, Inputs], Any]
"""A use of one method: (model, any scalar, inputs) -> what the method returns."""


@lru_cache(maxsize=64)  # a family of fits has one model
def check(model: type[AnyModel]) -> None:
    """Nothing for a sound class, else a ValueError of one sentence that names it."""
    _check_declarations(model)
    if issubclass(model, AbstractStatic):
        _check_outputs(
            model, _traced(model, "observe", lambda m, x, i: m.observe(x, i))
        )
        return
    _check_state(model, "initial", _traced(model, "initial", _initial))
    _check_state(model, "rates", _traced(model, "rates", _rates))
    _check_outputs(model, _traced(model, "observe", _observe))
    for name in model.doses:
        _check_dose(model, name)
    if issubclass(model, AbstractLinear):
        check_linear(model)
    else:
        check_forcing(model)


def covariates_read(model: type[AnyModel]) -> frozenset[str]:
    """The names of the covariates that any method of a sound model looks up."""
    calls: list[Call] = [lambda m, x, i: m.observe(x, i)]
    if not issubclass(model, AbstractStatic):
        calls = [_initial, _rates, _observe]
    return frozenset().union(*(_asked(model, call).covariate for call in calls))


def infusions_read(model: type[AnyModel]) -> frozenset[str]:
    """The dose names whose infusion `rates` looks up; none for a static model."""
    if issubclass(model, AbstractStatic):
        return frozenset()
    return frozenset(_asked(model, _rates).infusion)


def _initial(model: Any, x: Any, inputs: Inputs) -> Any:
    return model.initial(inputs)


def _rates(model: Any, x: Any, inputs: Inputs) -> Any:
    return model.rates(x, model.initial(inputs), inputs)


def _observe(model: Any, x: Any, inputs: Inputs) -> Any:
    return model.observe(x, model.initial(inputs), inputs)


def _asked(model: type[AnyModel], call: Call) -> Inputs:
    """The inputs after the call, which remember what was asked of them."""
    inputs = Inputs(Asked(1.0), Asked(1.0))
    jax.eval_shape(lambda x: call(instance_of(model, x), x, inputs), jnp.ones(()))
    return inputs


def _traced(model: type[AnyModel], method: str, call: Call) -> Any:
    """The shapes that the call returns; an error in the author's code becomes ours."""
    inputs = Inputs(Asked(1.0), Asked(1.0))
    try:
        result = jax.eval_shape(
            lambda x: call(instance_of(model, x), x, inputs), jnp.ones(())
        )
    except Exception as error:
        first = str(error).partition("\n")[0]
        raise ValueError(
            f"{model.__name__}.{method} stopped with {type(error).__name__}: {first}"
        ) from error
    unknown = sorted(set(inputs.infusion) - set(model.doses))
    if unknown:
        raise ValueError(
            f"{model.__name__}.{method} reads the infusion {unknown[0]!r}; declare it"
            f" in `doses` ({_names(model.doses)})"
        )
    return result


def _check_declarations(model: type[AnyModel]) -> None:
    declared = {name for ancestor in model.__mro__ for name in vars(ancestor)}
    for name in ("time", "doses", "outputs"):
        if name not in declared:
            raise ValueError(
                f"{model.__name__} does not declare `{name}`; add it to the class,"
                " with its units"
            )
    if not isinstance(model.time, str):
        raise ValueError(
            f"{model.__name__}.time is {model.time!r}; write a unit such as 'day'"
        )
    _check_units(model, "doses", model.doses)
    _check_units(model, "outputs", model.outputs)
    if not model.outputs:
        raise ValueError(f"{model.__name__}.outputs is empty; name one with its unit")
    for field in dataclasses.fields(cast(Any, model)):
        if "parameter" not in field.metadata:
            raise ValueError(
                f"{model.__name__}.{field.name} is not a parameter; write"
                f" {field.name}: Scalar = parameter(unit, meaning)"
            )


def _check_units(model: type[AnyModel], name: str, units: object) -> None:
    if not isinstance(units, Mapping) or not all(
        isinstance(text, str) for pair in units.items() for text in pair
    ):
        raise ValueError(
            f"{model.__name__}.{name} is {units!r}; write {{name: unit}}, all text"
        )


def _check_state(model: type[AnyModel], method: str, state: Any) -> None:
    """A NamedTuple of scalars; from `rates` and `dose` the same as from `initial`."""
    names = getattr(state, "_fields", ())
    if not names:
        raise ValueError(
            f"{model.__name__}.{method} returns {type(state).__name__}; return a"
            " NamedTuple with one scalar per compartment"
        )
    expected = type(_traced(model, "initial", _initial))
    if type(state) is not expected:
        raise ValueError(
            f"{model.__name__}.{method} returns {type(state).__name__}; return"
            f" {expected.__name__}, as `initial` does"
        )
    for name, value in zip(names, state, strict=True):
        _check_scalar(model, f"{method}: {name}", value)


def _check_scalar(model: type[AnyModel], place: str, value: Any) -> None:
    shape = getattr(value, "shape", None)
    if shape != ():
        got = type(value).__name__ if shape is None else f"shape {shape}"
        raise ValueError(f"{model.__name__}.{place} has {got}; return one number")


def _check_outputs(model: type[AnyModel], found: Any) -> None:
    if not isinstance(found, Mapping) or set(found) != set(model.outputs):
        got = _names(found) if isinstance(found, Mapping) else type(found).__name__
        raise ValueError(
            f"{model.__name__}.observe returns {got}; `outputs` declares"
            f" {_names(model.outputs)}: make them the same"
        )
    for name, value in found.items():
        _check_scalar(model, f"observe: {name}", value)


def _check_dose(model: type[AnyModel], name: str) -> None:
    """`dose` puts the amount somewhere, `dosing` answers for the name."""

    def given(m: Any, amount: Any, inputs: Inputs) -> Any:
        return m.dose(m.initial(inputs), name, amount)

    _check_state(model, f"dose({name!r})", _traced(model, f"dose({name!r})", given))
    one = jnp.ones(())
    inputs = Inputs(Asked(one), Asked(one))
    instance = instance_of(model, one)
    if not any(reads(lambda amount: given(instance, amount, inputs), 1)):
        raise ValueError(
            f"{model.__name__}.dose ignores the amount of {name!r}; add it to a"
            " compartment or take the name out of `doses`"
        )
    dosing = _traced(model, f"dosing({name!r})", lambda m, x, i: m.dosing(name))
    if not isinstance(dosing, Dosing):
        raise ValueError(
            f"{model.__name__}.dosing({name!r}) returns {type(dosing).__name__}; return"
            " Dosing(...)"
        )


def _names(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
