"""The public names lead where they say, and none is imported before it is asked for."""

import subprocess
import sys

import pytest

import imak_pkpd


@pytest.mark.parametrize("name", sorted(imak_pkpd._HOMES))
def test_every_name_is_a_function(name: str) -> None:
    found = getattr(imak_pkpd, name)
    assert callable(found)
    assert found.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = imak_pkpd.fitt


def test_the_import_is_light() -> None:
    code = "import sys, imak_pkpd; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False"
