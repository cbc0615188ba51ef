"""SAS files, written and read back by pyreadstat where it is installed."""

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

from imak_pkpd.data import check_file
from imak_pkpd.data.sas import sas_text

INSTALLED = importlib.util.find_spec("pyreadstat") is not None


@pytest.mark.skipif(INSTALLED, reason="pyreadstat is installed")
def test_missing_extra_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "pk.xpt").write_bytes(b"")
    with pytest.raises(ValueError, match=r"imak-pkpd\[sas\]"):
        check_file(tmp_path / "pk.xpt")


@pytest.mark.skipif(not INSTALLED, reason="pyreadstat is not installed")
def test_transport_file(tmp_path: Path) -> None:
    import pyreadstat

    frame = pd.DataFrame(
        {
            "USUBJID": ["S1", "S1", "S2"],
            "AFRLT": [0.0, 1.5, 0.0],
            "DV": [0.0, None, 3.25],
            "MDV": [0.0, 1.0, 0.0],
        }
    )
    pyreadstat.write_xport(frame, str(tmp_path / "pk.xpt"))
    dataset = check_file(tmp_path / "pk.xpt")
    assert dataset.findings == ()
    assert dataset.subject == ("S1", "S1", "S2")
    assert list(dataset.records["TIME"]) == [0, 1.5, 0]
    assert dataset.records["DV"][0] == 0.0  # not 5.4e-79
    assert dataset.records["DV"][2] == 3.25
    assert list(dataset.line) == [1, 2, 3]


@pytest.mark.skipif(not INSTALLED, reason="pyreadstat is not installed")
@pytest.mark.parametrize("name", ["pk.xpt", "pk.sas7bdat"])
def test_damaged_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"not a SAS file" * 50)
    assert [f.rule for f in check_file(tmp_path / name).findings] == ["UNREADABLE"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (float("nan"), ""),
        (3.0, "3"),
        (0.0, "0"),
        (2.5, "2.5"),
        (1e300, "1e+300"),
        (" S1 ", "S1"),
    ],
)
def test_values_as_text(value: object, text: str) -> None:
    assert sas_text(value) == text
