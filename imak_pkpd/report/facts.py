"""What the fit file and the model file say, read back from the copies in `run.json`.

Nothing is executed: the fit file is parsed as TOML, the model file as a syntax tree.
"""

import ast
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

CENSORING = "M3"
"""The rule of an output whose fit file names none."""


BESIDE = ("source", "of", "form", "level")
"""Keys of a prior that are not arguments of its distribution."""


@dataclass(frozen=True)
class Parameter:
    """One parameter as the model file declares it and the fit file knows it."""

    name: str
    unit: str = ""
    meaning: str = ""
    source: str = ""
    scale: str = "log"
    prior: str = "–"
    prior_source: str = ""


@dataclass(frozen=True)
class Output:
    """One output: its unit, residual error and rule for censored samples."""

    name: str
    unit: str = ""
    error: str = ""
    censoring: str = ""

    @property
    def graded(self) -> bool:
        """Whether DV is a grade or an answer: nothing to draw on a logarithmic axis."""
        return self.error in ("bernoulli", "ordinal", "event")

    @property
    def timed(self) -> bool:
        """Whether DV says that an event has happened: nothing to compare with a
        continuous prediction."""
        return self.error == "event"


@dataclass(frozen=True)
class Facts:
    """The statements of a run's fit and model files; empty where they are missing."""

    problem: str = ""
    time: str = ""
    description: str = ""
    doses: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, Output] = field(default_factory=dict)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    tables: Mapping[str, Any] = field(default_factory=dict)

    @property
    def units(self) -> dict[str, str]:
        """Units of parameters, and of residual SDs that have the output's unit."""
        known = {name: one.unit for name, one in self.parameters.items()}
        for output in self.outputs.values():
            known[f"{output.name}_additive"] = output.unit
            if output.error in ("additive", "student_t"):
                known[f"{output.name}_sigma"] = output.unit
        return known

    @property
    def dose_unit(self) -> str:
        """The unit of all doses; empty where they differ or are not known."""
        units = set(self.doses.values())
        return units.pop() if len(units) == 1 else ""

    def unit_of(self, variable: str) -> str:
        """The unit of a posterior variable on its natural scale, where it has one."""
        return self.units.get(variable.removesuffix("_pop"), "")


def read_facts(fit_text: str, model_text: str) -> Facts:
    """The facts of a fit file and a model file; a file that is broken says nothing."""
    tables = _parsed(fit_text)
    theta = tables.get("theta", {})
    parameters = {
        name: replace(said, prior=prior(entry), prior_source=source(entry))
        for name, said in declared(model_text).items()
        for entry in [theta.get(name)]
    }
    return Facts(
        problem=str(tables.get("problem", "")),
        time=str(tables.get("data", {}).get("time", "")),
        description=_docstring(model_text),
        doses=declared_doses(model_text),
        outputs={k: _output(k, v) for k, v in tables.get("output", {}).items()},
        parameters=parameters,
        tables=tables,
    )


def prior(entry: object) -> str:
    """A prior of the fit file in words."""
    match entry:
        case {"fixed": value}:
            return f"fixed at {shown(value)}"
        case {"column": column}:
            return f"the data column {column}"
        case {"median": median, "gsd": gsd}:
            return f"log-normal, median {shown(median)}, GSD {shown(gsd)}"
        case {"median": median, "sd": sd}:
            return f"normal on its scale, median {shown(median)}, SD {shown(sd)}"
        case {"dist": name, **rest}:
            told = {k: v for k, v in rest.items() if k not in BESIDE}
            return f"{name}({', '.join(f'{k} = {shown(v)}' for k, v in told.items())})"
        case {"lkj": concentration}:
            return f"LKJ({shown(concentration)})"
    return "–"


def shown(value: object) -> str:
    """A number of the fit file, complete and as short as it can be written: 3e+11."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def joint_blocks(tables: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The blocks of correlated random effects, each with its kind."""
    omega = tables.get("omega", {})
    found: list[tuple[str, Mapping[str, Any]]] = []
    for kind in ("correlation", "covariance"):
        match omega.get(kind, []):
            case dict() as one:
                found.append((kind, one))
            case several:
                found += [(kind, one) for one in several]
    return found


def source(entry: object) -> str:
    """Where a prior is taken from, as the fit file says."""
    match entry:
        case {"source": words}:
            return str(words)
    return ""


def declared(model_text: str) -> dict[str, Parameter]:
    """The parameters of a model file, by their `parameter(...)` fields."""
    tree = _tree(model_text)
    texts, found = _named_texts(tree), {}
    for node in ast.walk(tree):
        match node:
            case ast.AnnAssign(
                target=ast.Name(id=name),
                value=ast.Call(func=ast.Name(id="parameter")) as call,
            ):
                found[name] = Parameter(name, **_arguments(call, texts))
    return found


def _named_texts(tree: ast.Module) -> dict[str, str]:
    """The texts to which the file gives a name: KIMMEL = "Kimmel et al. 2021"."""
    found = {}
    for node in tree.body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))
            ):
                found[name] = text
    return found


def declared_doses(model_text: str) -> dict[str, str]:
    """Dose names and their units, from the model file's `doses = {...}`."""
    for node in ast.walk(_tree(model_text)):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="doses")], value=ast.Dict() as table)
                | ast.AnnAssign(target=ast.Name(id="doses"), value=ast.Dict() as table)
            ):
                pairs = zip(table.keys, table.values, strict=True)
                return {_constant(k): _constant(v) for k, v in pairs if k is not None}
    return {}


def _arguments(call: ast.Call, texts: Mapping[str, str]) -> dict[str, str]:
    """What is written, or named, in the arguments of `parameter`."""
    names = ("unit", "meaning", "source", "scale")
    given = dict(zip(names, call.args, strict=False))
    given |= {key.arg: key.value for key in call.keywords if key.arg in names}
    return {
        name: texts.get(node.id, node.id)
        if isinstance(node, ast.Name)
        else _constant(node)
        for name, node in given.items()
    }


def _constant(node: ast.expr) -> str:
    """The text of a literal argument; its source where it is an expression."""
    match node:
        case ast.Constant(value=value):
            return str(value)
    return ast.unparse(node)


COUNTED = {
    "binomial": "positive",
    "beta_binomial": "positive",
    "poisson": "events",
    "bernoulli": "0 no, 1 yes",
    "ordinal": "grade",
    "event": "0 not yet, 1 the event",
}
"""The unit of DV where it is not that of the model's output."""


def _output(name: str, table: Mapping[str, Any]) -> Output:
    unit, error = (str(table.get(key, "")) for key in ("unit", "error"))
    unit = COUNTED.get(error, unit)
    return Output(name, unit, error, str(table.get("censoring", CENSORING)))


def _docstring(model_text: str) -> str:
    return ast.get_docstring(_tree(model_text)) or ""


def _tree(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}
