"""`load_model(path)`: the one model class of a model file, checked at the door.

`load_model`   the class; the file is executed.
`model_source` the file's text and its SHA-256, for provenance; nothing is executed.
"""

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from imak_pkpd.model.abstract import AbstractModel, AbstractStatic, AnyModel
from imak_pkpd.model.inspection import check


class ModelSource(NamedTuple):
    """A model file's text and the SHA-256 of its bytes, in hexadecimal."""

    text: str
    sha256: str


def model_source(path: Path) -> ModelSource:
    """The file's text and hash; ValueError when it cannot be read."""
    try:
        content = Path(path).read_bytes()
        return ModelSource(content.decode(), hashlib.sha256(content).hexdigest())
    except OSError as error:
        raise ValueError(
            f"{path}: the model file cannot be read ({error.strerror}); correct `model`"
            " in the fit file"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: the model file is not UTF-8 text (byte {error.start})"
        ) from error


def load_model(path: Path) -> type[AnyModel]:
    """The model class of the file at `path`.

    The same text at the same path gives the same class, so nothing compiles twice.
    ValueError, in one sentence with the file, when the file cannot be run, does not
    define exactly one model, or the model contradicts what it declares.
    """
    path = Path(path)
    model = _only_model(path, _executed(path, model_source(path)))
    try:
        check(model)
    except ValueError as problem:
        raise ValueError(f"{path}: {problem}") from problem
    return model


def _executed(path: Path, source: ModelSource) -> ModuleType:
    """The file as a module of its own; dataclasses look it up in `sys.modules`."""
    key = hashlib.sha256(f"{path.resolve()}\0{source.sha256}".encode()).hexdigest()
    name = f"imak_model_{path.stem}_{key[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_loader(name, loader=None, origin=str(path))
    assert spec is not None  # a spec without a loader is always made
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        exec(compile(source.text, str(path), "exec"), vars(module))
    except Exception as error:
        del sys.modules[name]
        first = str(error).partition("\n")[0]
        raise ValueError(
            f"{path}:{_line(path, error)}: the model file stopped with"
            f" {type(error).__name__}: {first}"
        ) from error
    return module


def _line(path: Path, error: Exception) -> int:
    """The last line of the file on the way to the error."""
    if isinstance(error, SyntaxError):
        return error.lineno or 1
    trace = inspect.getinnerframes(error.__traceback__) if error.__traceback__ else []
    lines = [frame.lineno for frame in trace if frame.filename == str(path)]
    return lines[-1] if lines else 1


def _only_model(path: Path, module: ModuleType) -> type[AnyModel]:
    """The one class that can be used; abstract ones may stand beside it."""
    found = list(_models(module))
    ready = [model for model in found if not inspect.isabstract(model)]
    match ready, found:
        case [model], _:
            return model
        case [], []:
            raise ValueError(
                f"{path}: no model is defined; write one class that derives from"
                " AbstractModel, AbstractLinear or AbstractStatic"
            )
        case [], _:
            model = found[-1]
            missing = ", ".join(sorted(model.__abstractmethods__))
            raise ValueError(
                f"{path}: {model.__name__} is not complete; write its {missing}"
            )
        case _:
            names = ", ".join(model.__name__ for model in ready)
            raise ValueError(
                f"{path}: {len(ready)} models are defined ({names}); keep one per file"
            )


def _models(module: ModuleType) -> Iterator[type[AnyModel]]:
    for value in vars(module).values():
        if (
            inspect.isclass(value)
            and issubclass(value, AbstractModel | AbstractStatic)
            and value.__module__ == module.__name__
        ):
            yield value
