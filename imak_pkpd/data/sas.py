"""SAS transport (.xpt) and data (.sas7bdat) files as text cells.

pyreadstat reads them, not pandas: `pandas.read_sas` turns 0.0 of an .xpt file into
5.4e-79. The line of a row is its record number: there are no physical lines.
"""

import math
from pathlib import Path

from imak_pkpd.data.cells import Cells, Row


def read_sas(path: Path) -> Cells:
    """The cells of a SAS file; needs the extra `sas`."""
    try:
        import pyreadstat
    except ImportError as error:
        raise ValueError(
            f"{path}: a SAS file needs pyreadstat, which cannot be imported "
            f"({error}): pip install 'imak-pkpd[sas]', or save the data as CSV"
        ) from error
    read = (
        pyreadstat.read_xport
        if path.suffix.lower() == ".xpt"
        else pyreadstat.read_sas7bdat
    )
    try:
        columns, meta = read(
            str(path), output_format="dict", disable_datetime_conversion=True
        )
    except (pyreadstat.ReadstatError, UnicodeDecodeError) as error:
        return Cells(broken=(1, str(error)))
    header = tuple(meta.column_names)
    rows = zip(*(columns[name] for name in header), strict=True)
    cells = ([sas_text(value) for value in row] for row in rows)
    return Cells(header, tuple(Row(n, row) for n, row in enumerate(cells, start=1)))


def sas_text(value: object) -> str:
    """A SAS value as it would stand in a CSV file; missing is ''."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))  # 2**53: beyond it a float is no exact integer
    return str(value).strip()
