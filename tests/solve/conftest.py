"""The full model at the prior medians, for the tests that solve it."""

from pathlib import Path

import pytest

from imak_pkpd.model import AbstractModel
from tests.solve.full_model import full_kind, three_patients
from tests.solve.medians import prior_medians


@pytest.fixture(scope="module")
def kind(root: Path) -> type[AbstractModel]:
    return full_kind(root)


@pytest.fixture(scope="module")
def medians(shared: Path) -> dict[str, float]:
    return prior_medians(shared)


@pytest.fixture(scope="module")
def model(kind: type[AbstractModel], medians: dict[str, float]) -> AbstractModel:
    return three_patients(kind, medians)
