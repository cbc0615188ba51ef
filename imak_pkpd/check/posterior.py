"""Which variables of a posterior belong to the population, and which to patients."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from jaxtyping import Float

Drawn = Float[np.ndarray, "chain draw"]

_EFFECTS = "eta_"  # random effects: one a patient, who may be several subjects


def population_arrays(tree: xr.DataTree) -> dict[str, Drawn]:
    """Population parameters by name, one entry per number; constants are left out."""
    return _arrays(tree, individual=False)


def individual_arrays(tree: xr.DataTree) -> dict[str, Drawn]:
    """Effects and parameters of patients by name, one entry per patient."""
    return _arrays(tree, individual=True)


def effects(tree: xr.DataTree) -> Mapping[str, Float[np.ndarray, "chain draw subject"]]:
    """The random effects eta by parameter."""
    posterior = tree["posterior"].to_dataset()
    return {
        str(name).removeprefix("eta_"): variable.values
        for name, variable in posterior.data_vars.items()
        if str(name).startswith("eta_") and variable.ndim == 3
    }


def _arrays(tree: xr.DataTree, individual: bool) -> dict[str, Drawn]:
    found = {}
    for name, variable in tree["posterior"].to_dataset().data_vars.items():
        if _is_individual(str(name), variable) == individual:
            found.update(_numbers(str(name), variable))
    return {name: drawn for name, drawn in found.items() if _varies(drawn)}


def _is_individual(name: str, variable: xr.DataArray) -> bool:
    # one number per draw is shared, also where a parameter is named like an effect
    alone = variable.ndim == 2
    return "subject" in variable.dims or (name.startswith(_EFFECTS) and not alone)


def _numbers(name: str, variable: xr.DataArray) -> dict[str, Drawn]:
    """`name`, or `name[label]` for each element of an array."""
    drawn = variable.transpose("chain", "draw", ...)
    labels = [np.asarray(drawn[dim].values) for dim in drawn.dims[2:]]
    return {
        _labelled(name, [values[i] for values, i in zip(labels, place, strict=True)]): (
            np.asarray(drawn.values[(..., *place)], float)
        )
        for place in np.ndindex(drawn.shape[2:])
    }


def _labelled(name: str, labels: list) -> str:
    return f"{name}[{', '.join(map(str, labels))}]" if labels else name


def _varies(drawn: Drawn) -> bool:
    """False for a number that is fixed, not for chains stuck at different places."""
    return bool(np.ptp(drawn) > 0) or not np.isfinite(drawn).all()
