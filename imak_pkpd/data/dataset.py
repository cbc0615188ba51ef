"""`Dataset`: the patient file as numpy columns, with what was found in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from imak_pkpd.data.finding import Finding, errors

RECORDS = (
    "TIME", "EVID", "AMT", "RATE", "DUR", "ADDL", "II", "SS", "CMT", "DV", "MDV",
    "DVID", "CENS", "LIMIT", "LLOQ", "CENSOR", "OUTPUT",
)  # fmt: skip
"""The record columns of every data set."""


@dataclass(frozen=True)
class Dataset:
    """Records in file order (the parts of a joined ID together), normalised.

    `path`, `sha256` the file and its hash; `findings` what the rules found.
    `line`           physical line of each row; `subject` its ID as text.
    `records`        float columns `RECORDS`, NaN is missing. EVID, MDV, CENS, CENSOR
                     and dose items have no gaps; MDV is 0 where EVID is 0 and DV is
                     used, else 1; a missing CMT is the only input. DV, LIMIT and CENSOR
                     are ready for the likelihood (see `censoring`): CENSOR 0 none,
                     1 left, -1 right (DV is the limit), 2 interval (DV upper, LIMIT
                     lower). LLOQ is the file's, else the fit's. OUTPUT is the place of
                     the output in the fit, -1 on rows that are not observations.
    `covariates`     declared ones, gaps filled by their rule, and further columns.
    `levels`         names of the codes 0, 1, … of text columns.
    `columns`        standard name -> the file's column.
    `exclusions`     reason -> number of rows left out.
    """

    path: Path
    sha256: str
    findings: tuple[Finding, ...]
    line: Int[np.ndarray, " row"]
    subject: tuple[str, ...]
    records: Mapping[str, Float[np.ndarray, " row"]]
    covariates: Mapping[str, Float[np.ndarray, " row"]]
    levels: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, str]
    exclusions: Mapping[str, int]


def refuse_errors(dataset: Dataset) -> Dataset:
    """The data set itself; a `ValueError` that names the first error, if it has any."""
    found = errors(dataset.findings)
    if found:
        more = f" (and {len(found) - 1} more errors)" if len(found) > 1 else ""
        hint = f"; {found[0].hint}" if found[0].hint else ""
        raise ValueError(f"{found[0].text(str(dataset.path))}{hint}{more}")
    return dataset
