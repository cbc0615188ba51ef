"""Dose groups: patients who were given the same total amount."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from imak_pkpd.report.number import number

MOST_GROUPS = 4
"""More distinct totals than this are individual doses, not groups."""

FEWEST_PATIENTS = 3
"""A group of fewer has no percentiles to compare."""


@dataclass(frozen=True)
class DoseGroup:
    """A name for the reader and the numbers of its patients."""

    name: str
    subjects: np.ndarray


def total_amount(constant: xr.Dataset, subjects: int) -> np.ndarray:
    """Sum of all dose amounts of each patient; 0 for one without a dose."""
    total = np.zeros(subjects)
    rows = np.asarray(constant["dose_subject_index"].values, dtype=int)
    np.add.at(total, rows, np.nan_to_num(constant["dose_amount"].values))
    return total


def dose_groups(total: np.ndarray, unit: str = "") -> list[DoseGroup]:
    """One group per distinct total (3 digits); everyone where doses are individual."""
    everyone = [DoseGroup("all patients", np.arange(len(total)))]
    rounded = np.array([float(f"{amount:.3g}") for amount in total])
    levels, counts = np.unique(rounded, return_counts=True)
    if not 1 < len(levels) <= MOST_GROUPS or counts.min() < FEWEST_PATIENTS:
        return everyone
    return [
        DoseGroup(
            f"total dose {number(level)} {unit}".strip(),
            np.flatnonzero(rounded == level),
        )
        for level in levels
    ]
