"""What the README shows is true: its model works, its verbs exist."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import pytest

from imak_pkpd.model import AbstractModel, Inputs, Scalar, parameter, parameters


@pytest.fixture(scope="module")
def readme(root: Path) -> str:
    return (root / "README.md").read_text()


def test_the_example_is_a_model_of_fifteen_lines(readme: str) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert len(code.splitlines()) <= 15
    names: dict[str, Any] = {
        "NamedTuple": NamedTuple, "AbstractModel": AbstractModel, "Scalar": Scalar,
        "parameter": parameter, "jnp": jnp,
    }  # fmt: skip
    exec(code, names)
    assert list(parameters(names["Oral"])) == ["ka", "CL", "V"]
    model = names["Oral"](ka=jnp.asarray(2.0), CL=jnp.asarray(3.0), V=jnp.asarray(4.0))
    inputs = Inputs(infusion={}, covariate={})
    state = model.dose(model.initial(inputs), "depot", jnp.asarray(10.0))
    rates = model.rates(
        jnp.asarray(0.0), state._replace(central=jnp.asarray(8.0)), inputs
    )
    # by hand: 2 * 10 leaves the depot; 2 * 10 - 3/4 * 8 enters the central compartment
    assert (float(rates.depot), float(rates.central)) == (-20.0, 14.0)


def test_the_verbs_of_the_readme_exist(root: Path, readme: str) -> None:
    shown = set(re.findall(r"`imak ([\w-]+)", readme))
    verbs = {
        p.stem.replace("_", "-") for p in (root / "imak_pkpd" / "cli").glob("*.py")
    }
    assert shown - verbs == set()


def test_the_files_the_readme_links_exist(root: Path, readme: str) -> None:
    links = re.findall(r"\]\(([\w./-]+)\)", readme)
    assert links
    assert [link for link in links if not (root / link).exists()] == []
