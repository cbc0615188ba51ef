"""The result as an `xarray.DataTree`, and its file `posterior.nc`.

`Variable` is an array with its dims; a group is variables by name. `posterior_group`
and `statistics_groups` make groups from draws, `build_tree` puts groups together.
"""

import json
from collections.abc import Collection, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5netcdf
import numpy as np
import xarray as xr

from imak_pkpd.fit.atomic import replacing
from imak_pkpd.fit.sample import Draws

GROUPS = (
    "posterior",
    "sample_stats",
    "warmup",
    "log_likelihood",
    "log_prior",
    "observed_data",
    "constant_data",
    "posterior_predictive",
    "estimand",
    "cohort_estimand",
    "prior",
    "prior_predictive",
    "prior_estimand",
    "refined",
)
_DRAW = ("chain", "draw")


class Variable(NamedTuple):
    """An array and the names of its axes."""

    dims: tuple[str, ...]
    values: np.ndarray


Group = Mapping[str, Variable]
Coordinates = Mapping[str, Sequence[Any] | np.ndarray]


def build_tree(
    groups: Mapping[str, Group],
    coordinates: Mapping[str, Coordinates],
    attributes: Mapping[str, Any],
) -> xr.DataTree:
    """The tree of `groups` with `coordinates` by group and dim, in the order of GROUPS.

    A dim without a coordinate is numbered from 0. `attributes` (provenance) are those
    of the root; what is not text or a number is stored as JSON. Raises a `ValueError`
    for a group that is not in `GROUPS`.
    """
    unknown = sorted({*groups, *coordinates} - {*GROUPS})
    if unknown:
        raise ValueError(
            f"groups {', '.join(unknown)} have no place in a result: "
            f"expected some of {', '.join(GROUPS)}"
        )
    present = [name for name in GROUPS if name in groups]
    datasets = {f"/{n}": _dataset(groups[n], coordinates.get(n, {})) for n in present}
    tree = xr.DataTree.from_dict(datasets)
    tree.attrs.update({name: _attribute(value) for name, value in attributes.items()})
    return tree


def posterior_group(
    values: Mapping[str, np.ndarray], subjects: int, dim: str = "subject"
) -> dict[str, Variable]:
    """Site values (chain, draw, ...) with their dims.

    A third axis of length `subjects` is `dim`; any other axis is named after its
    variable.
    """
    return {
        name: Variable((*_DRAW, *_rest(name, value.shape[2:], subjects, dim)), value)
        for name, value in values.items()
    }


_OWNED = ("theta_", "eta_")  # sites that are there for every parameter that varies


def public_sites(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Without the sites that only serve sampling: z_p, phi_p, factors of blocks.

    A parameter may be called z_q itself: it is known by its theta_z_q or eta_z_q.
    """
    inner = ("z_", "phi_", "cholesky_", "precision_")
    parameters = {name.partition("_")[2] for name in values if name.startswith(_OWNED)}
    return {
        name: value
        for name, value in values.items()
        if name.removesuffix("_pop") in parameters or not name.startswith(inner)
    }


def statistics_groups(draws: Draws) -> dict[str, Group]:
    """The groups `sample_stats` and `warmup`."""
    return {
        group: {name: Variable(_DRAW, value) for name, value in values.items()}
        for group, values in (
            ("sample_stats", draws.statistics),
            ("warmup", draws.warmup),
        )
    }


def write_tree(tree: xr.DataTree, path: Path) -> None:
    """Writes the tree as netCDF; the file appears when it is whole."""
    with replacing(path) as temporary:
        tree.to_netcdf(temporary, engine="h5netcdf")


def read_tree(path: Path, wanted: Collection[str] = GROUPS) -> xr.DataTree:
    """The tree in a file, read into memory, or some groups of it; a `ValueError` when
    it cannot be read."""
    try:
        with h5netcdf.File(path) as file:
            there = [name for name in file.groups if name in wanted]
        groups = {f"/{name}": _read(path, name) for name in ("", *there)}
        return xr.DataTree.from_dict(groups)
    except (OSError, KeyError) as error:
        raise ValueError(
            f"{path} cannot be read as a posterior: expected the posterior.nc of a run"
        ) from error


def _read(path: Path, group: str) -> xr.Dataset:
    """One group: names in all of them are looked up twice as slowly."""
    with xr.open_dataset(path, engine="h5netcdf", group=group) as data:
        return data.load()


def _dataset(group: Group, coordinates: Coordinates) -> xr.Dataset:
    lengths = {
        dim: length
        for variable in group.values()
        for dim, length in zip(variable.dims, variable.values.shape, strict=True)
    }
    known: dict[Hashable, Any] = {
        dim: np.asarray(coordinates.get(dim, np.arange(length)))
        for dim, length in lengths.items()
    }
    variables = {name: (v.dims, np.asarray(v.values)) for name, v in group.items()}
    return xr.Dataset(variables, coords=known)


def _rest(
    name: str, shape: tuple[int, ...], subjects: int, dim: str
) -> tuple[str, ...]:
    if shape == (subjects,):
        return (dim,)
    return tuple(f"{name}_dim_{axis}" for axis in range(len(shape)))


def _attribute(value: Any) -> str | int | float:
    """netCDF keeps text and numbers; the rest is JSON."""
    match value:
        case bool() | None:
            return json.dumps(value)
        case str() | int() | float():
            return value
        case _:
            return json.dumps(value, default=str)
