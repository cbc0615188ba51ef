"""`read`: a patient file written from text, then read with a data block."""

from collections.abc import Callable
from pathlib import Path

import pytest

from imak_pkpd.data import DataBlock, Dataset, Expectations, read_dataset

Read = Callable[..., Dataset]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_text(
        text: str | bytes,
        extra: tuple[str, ...] = (),
        expect: Expectations | None = None,
        **block: object,
    ) -> Dataset:
        content = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "pk.csv").write_bytes(content)
        settings = {"file": "pk.csv", "time": "h", "inputs": {1: "depot"}} | block
        return read_dataset(DataBlock.model_validate(settings), tmp_path, extra, expect)

    return read_text
