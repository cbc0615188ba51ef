"""What a new cohort would report of every published fact, from prior and posterior."""

import json
import tomllib
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float
from pydantic import TypeAdapter

from imak_pkpd.check.reweighting import facts_of
from imak_pkpd.evidence import EvidenceBlock

SEED = 2023
"""Seed of the prior replicates; any number, but the same in every report."""

Replicates = Float[np.ndarray, " draw"]


class Predicted(NamedTuple):
    """One fact and what draws predict of it."""

    fact: str
    words: str
    of: str
    cohort: str
    used: bool
    source: str
    reported: float
    prior: Replicates
    posterior: Replicates


def predicted(tree: xr.DataTree) -> list[Predicted]:
    """All facts in the order of the fit file, without alternative readings."""
    kept = json.loads(str(tree.attrs.get("replicates", "{}")))
    rng = np.random.default_rng(SEED)
    return [
        Predicted(
            name,
            said["words"],
            said["of"],
            said["cohort"],
            said["use"],
            said["source"],
            float(said["reported"]),
            _replicates(tree, name, "prior_estimand", rng),
            np.asarray(kept[name], float)
            if name in kept
            else _replicates(tree, name, "cohort_estimand", rng),
        )
        for name, said in facts_of(tree).items()
        if not said["alternative_of"]
    ]


def _replicates(
    tree: xr.DataTree, name: str, group: str, rng: np.random.Generator
) -> Replicates:
    """Replicates at the draws of a group; a draw that failed has none."""
    said = facts_of(tree)[name]
    means = tree[group][said["of"]].sel(cohort=said["cohort"])
    flat = np.ravel(np.asarray(means.values, float))
    fact = _fact(tree, name)
    return np.asarray(fact.replicate(flat[np.isfinite(flat)], rng), float)


def _fact(tree: xr.DataTree, name: str) -> EvidenceBlock:
    """The fact as the settings of the run have it."""
    settings = tomllib.loads(str(tree.attrs["settings"]))
    reader: TypeAdapter[EvidenceBlock] = TypeAdapter(EvidenceBlock)
    return reader.validate_python(settings["evidence"][name])
