"""A model class with numbers in it: what it is asked for is remembered."""

from typing import Any

from imak_pkpd.model.abstract import AnyModel
from imak_pkpd.model.parameter import parameters


class Asked(dict[str, Any]):
    """Answers every name with one value and remembers the names."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value

    def __missing__(self, name: str) -> Any:
        self[name] = self.value
        return self.value


def instance_of(model: type[AnyModel], value: Any) -> Any:
    return model(**dict.fromkeys(parameters(model), value))
