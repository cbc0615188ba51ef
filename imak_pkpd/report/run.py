"""A run folder as read from disk, whatever is in it.

`read_run` never raises for a missing or broken file: it notes the problem and goes on,
because a fit that failed needs its report most. `Run.need` is how a block asks for
what it draws; it raises `MissingError` with words for the reader.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float

from imak_pkpd.check.convergence import Diagnostics
from imak_pkpd.check.goodness import Goodness, codes, goodness, observations, stacked
from imak_pkpd.check.npde import Npde, npde
from imak_pkpd.check.parameter_table import parameter_table
from imak_pkpd.check.reweighting import facts_of
from imak_pkpd.check.virtual_patients import diagnose_chains
from imak_pkpd.check.weighted_table import weighted_table
from imak_pkpd.check.weighting import diagnose_weighting, is_weighted
from imak_pkpd.fit.tree import read_tree
from imak_pkpd.report.facts import Facts, Output, read_facts
from imak_pkpd.report.groups import DoseGroup, dose_groups, total_amount
from imak_pkpd.report.labels import Labels

OBSERVED = ("dv", "limit", "censor", "time", "subject_index", "output_index")

CURVES = tuple(
    f"curve_{name}" for name in ("time", "low", "median", "high", "population")
)

NPDE_SEED = 2008
"""Seed of the random part of NPDE; any number, but the same in every report."""


class Curves(NamedTuple):
    """Individual predictions between the samples, and the typical one (eta = 0).

    Of all patients: `time` [subject, point], the others [subject, point, output].
    """

    time: Float[np.ndarray, "... point"]
    low: Float[np.ndarray, "..."]
    median: Float[np.ndarray, "..."]
    high: Float[np.ndarray, "..."]
    population: Float[np.ndarray, "..."]


class MissingError(ValueError):
    """Something that a block needs is not in the run folder; says what, in words."""


@dataclass(frozen=True, eq=False)
class Run:
    """What a run folder holds: `run.json`, the DataTree, and what could not be read.

    The tree's subjects are as printed; `labels` does the same for other text.
    """

    folder: Path
    record: Mapping[str, Any]
    tree: xr.DataTree
    problems: tuple[str, ...] = ()
    labels: Labels = field(default_factory=Labels)

    def need(self, group: str, *names: str) -> xr.Dataset:
        """A group of the DataTree that has these variables."""
        if group not in self.tree.children:
            raise MissingError(f"the run has no group “{group}”")
        dataset = self.tree[group].to_dataset()
        absent = [name for name in names if name not in dataset.variables]
        if absent:
            raise MissingError(f"the group “{group}” has no {', '.join(absent)}")
        return dataset

    def fact(self, *path: str, default: Any = None) -> Any:
        """An entry of run.json by its path of keys; `default` where there is none."""
        found: Any = self.record
        for key in path:
            if not isinstance(found, Mapping) or key not in found:
                return default
            found = found[key]
        return found

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """Patients as printed, in the order of the file; empty without data."""
        return _identifiers(self.tree)

    @property
    def synthetic(self) -> bool:
        """Whether the data are labelled synthetic."""
        # an attribute of a netCDF file may be a number or a word
        said = str(self.tree.attrs.get("synthetic", "")).lower()
        tags = self.fact("tags", default=()) or ()
        return said in ("true", "1", "yes") or "synthetic" in tags

    @cached_property
    def facts(self) -> Facts:
        """What the fit file and the model file say."""
        # the settings in full where the run has them; the file may be based on another
        said = self.tree.attrs.get("settings") or self.fact("fit", "text", default="")
        return read_facts(
            str(said),
            str(self.fact("model", "source", default="")),
        )

    @cached_property
    def outputs(self) -> tuple[Output, ...]:
        """The outputs in the order of `output_index`, with what is known of them."""
        data = self.need("observed_data", "output")
        names = [str(name) for name in data.coords["output"].values]
        return tuple(self.facts.outputs.get(name, Output(name)) for name in names)

    @property
    def weighted(self) -> bool:
        """Whether published facts were fitted without patients, or should have been."""
        asked = self.facts.tables
        return is_weighted(self.tree) or ("evidence" in asked and "data" not in asked)

    @property
    def with_facts(self) -> bool:
        """Whether published facts were among what was fitted."""
        return bool(facts_of(self.tree))

    @property
    def with_patients(self) -> bool:
        """Whether patients' records were."""
        return "observed_data" in self.tree.children

    @cached_property
    def diagnostics(self) -> Diagnostics:
        """The checks of the draws."""
        if self.weighted:
            return diagnose_weighting(self.tree)
        return diagnose_chains(self.tree, self.fact("result", "solver_error"))

    @cached_property
    def parameters(self) -> pd.DataFrame:
        """The population parameters, one row each, in reading order."""
        self.need("posterior")
        table = weighted_table if self.weighted else parameter_table
        return table(self.tree, self.facts.units)

    @cached_property
    def goodness(self) -> Goodness:
        """Observations with predictions and individual residuals."""
        self.need("observed_data", *OBSERVED)
        self.need("posterior_predictive", "ipred", "pred", "iwres")
        return goodness(self.tree)

    @cached_property
    def curves(self) -> Curves | None:
        """Predictions on a dense grid; None in a run that kept none."""
        try:
            kept = self.need("posterior_predictive", *CURVES)
        except MissingError:
            return None
        return Curves(*(np.asarray(kept[name].values, np.float64) for name in CURVES))

    @cached_property
    def npde(self) -> Npde:
        """NPDE of every observation, with the run's seed for censored ones.

        Times to an event are left out, and NaN: they are no values to decorrelate.
        """
        data = self.need("observed_data", *OBSERVED)
        self.need("posterior_predictive", "replicate")
        output = codes(data, "output_index")
        timed = np.array([each.timed for each in self.outputs], bool)
        measured = ~timed[output]
        found = npde(
            observations(data).at(measured),
            codes(data, "subject_index")[measured],
            output[measured],
            stacked(self.tree, "replicate")[:, measured],
            NPDE_SEED,
            self.discrete,
        )
        return found.among(measured)

    @cached_property
    def discrete(self) -> Bool[np.ndarray, " output"]:
        """Which outputs are counts or grades; a run that does not say has none."""
        data = self.need("observed_data", "output")
        known = data.get("discrete")
        return (
            np.zeros(len(self.outputs), bool)
            if known is None
            else np.asarray(known.values, bool)
        )

    @cached_property
    def covariates(self) -> dict[str, Float[np.ndarray, " subject"]]:
        """Numeric columns of `constant_data` with one value per patient."""
        constant = self.need("constant_data")
        return {
            str(name): np.asarray(column.values, dtype=np.float64)
            for name, column in constant.data_vars.items()
            if column.dims == ("subject",) and column.dtype.kind in "fiub"
        }

    @cached_property
    def dose_groups(self) -> list[DoseGroup]:
        """Groups of patients with the same total dose."""
        doses = self.need("constant_data", "dose_subject_index", "dose_amount")
        total = total_amount(doses, len(self.subjects))
        return dose_groups(total, self.facts.dose_unit)


def read_run(folder: Path, *, anonymise: bool) -> Run:
    """The content of a run folder; `anonymise` prints numbers for identifiers."""
    record, trouble = _read_record(folder / "run.json")
    tree, damage = _read_tree(folder / "posterior.nc")
    problems = tuple(trouble + damage)
    if not anonymise:
        return Run(folder, record, tree, problems)
    labels = Labels.numbered(_identifiers(tree))
    return Run(folder, record, _renamed(tree, labels), problems, labels)


def _identifiers(tree: xr.DataTree) -> tuple[str, ...]:
    """The subject coordinate of the first group that has one."""
    for group in tree.children.values():
        if "subject" in group.coords:
            return tuple(str(name) for name in group.coords["subject"].values)
    return ()


def _renamed(tree: xr.DataTree, labels: Labels) -> xr.DataTree:
    """The tree with labels as subject coordinate in every group."""
    groups = {}
    for name, node in tree.children.items():
        group = node.to_dataset()
        if "subject" in group.coords:
            names = [labels.of(str(one)) for one in group.coords["subject"].values]
            group = group.assign_coords(subject=names)
        groups[f"/{name}"] = group
    groups["/"] = tree.to_dataset()
    return xr.DataTree.from_dict(groups)


def _read_record(path: Path) -> tuple[Mapping[str, Any], list[str]]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, ["run.json is missing: nothing is known about how the run was made."]
    except (ValueError, OSError) as error:
        return {}, [f"run.json could not be read ({error})."]
    if not isinstance(record, dict):
        return {}, ["run.json is not a table of facts."]
    return record, []


def _read_tree(path: Path) -> tuple[xr.DataTree, list[str]]:
    if not path.is_file():
        return xr.DataTree(), ["posterior.nc is missing: the run kept no draws."]
    try:
        tree = read_tree(path)
    # h5py, h5netcdf and xarray raise many kinds for a damaged file; the report goes on
    except Exception as error:
        return xr.DataTree(), [f"posterior.nc could not be read ({error})."]
    needed = ("posterior", "refined" if is_weighted(tree) else "observed_data")
    absent = [name for name in needed if name not in tree]
    return tree, [f"posterior.nc has no group “{name}”." for name in absent]
