"""The result of a fit of published facts as a tree: no patients, draws with weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from imak_pkpd.fit.provenance import versions
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.tree import Group, Variable, build_tree
from imak_pkpd.fit.virtual import Means
from imak_pkpd.fit.weighting import (
    Sites,
    Weighted,
    as_attributes,
    fact_names,
    resampled,
)
from imak_pkpd.model import AnyModel

KEPT = 2000  # equally weighted draws: no more than the weights are worth
PRIOR_KEPT = 2000
DRAW = ("chain", "draw")


def evidence_tree(spec: FitSpec, model: type[AnyModel], found: Weighted) -> xr.DataTree:
    """The groups `posterior`, `estimand`, `prior`, `prior_estimand` and `refined`.

    The first two are drawn from `refined` with its weights; `refined` has what a
    reweighting needs: means by cohort, log-likelihoods by fact, weights.
    """
    rng = np.random.default_rng(spec.estimation.seed)
    place = resampled(found.log_weight, KEPT, rng)
    some = np.arange(min(PRIOR_KEPT, len(found.first.failed)))
    groups: dict[str, Group] = {
        "posterior": _parameters(found.sites, place),
        "estimand": _by_draw(found.refined.means, place),
        "prior": _parameters(found.prior, some),
        "prior_estimand": _by_draw(found.first.means, some),
        "refined": _refined(spec, found),
    }
    names = {"cohort": [*spec.cohort], "fact": [*fact_names(spec)]}
    return build_tree(
        groups,
        {group: names for group in groups},
        _attributes(spec, model, found, place, rng),
    )


def _parameters(sites: Sites, place: np.ndarray) -> Group:
    return {
        name: Variable(
            (*DRAW, *(f"{name}_dim_{axis}" for axis in range(value.ndim - 1))),
            value[place][None],
        )
        for name, value in sites.items()
    }


def _by_draw(means: Mapping[str, Means], place: np.ndarray) -> Group:
    """Estimands [chain, draw, cohort]."""
    return {
        name: Variable((*DRAW, "cohort"), columns[place][None])
        for name, columns in _stacked(means).items()
    }


def _stacked(means: Mapping[str, Means]) -> dict[str, np.ndarray]:
    """[draw, cohort] by estimand."""
    first = next(iter(means.values()))
    return {name: np.stack([m[name] for m in means.values()], -1) for name in first}


def _refined(spec: FitSpec, found: Weighted) -> Group:
    facts = [found.refined.log_likelihood[name] for name in fact_names(spec)]
    return {
        **{
            name: Variable(("draw", "cohort"), columns)
            for name, columns in _stacked(found.refined.means).items()
        },
        **{
            name: Variable(("draw",), value)
            for name, value in found.sites.items()
            if value.ndim == 1
        },
        "log_likelihood": Variable(("draw", "fact"), np.stack(facts, -1)),
        "log_weight": Variable(("draw",), found.log_weight),
        "log_proposal": Variable(("draw",), found.log_proposal),
    }


def _attributes(
    spec: FitSpec,
    model: type[AnyModel],
    found: Weighted,
    place: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, Any]:
    units = {**model.outputs, "time": model.time}
    return {
        "problem": spec.problem,
        "fit": str(spec.path),
        "settings": str(spec),
        "fit_sha256": spec.sha256,
        "synthetic": False,
        "facts": _facts(spec),
        "double_use": list(spec.double_use),
        "replicates": _replicates(spec, found, place, rng),
        "estimands": {n: block.definition(units) for n, block in spec.estimand.items()},
        "weighting": as_attributes(spec, found),
        "versions": versions(),
    }


def _facts(spec: FitSpec) -> dict[str, dict[str, Any]]:
    """Every fact, and every alternative reading of one, as it is printed."""
    said: dict[str, dict[str, Any]] = {}
    for name, fact in spec.evidence.items():
        known = {
            "words": fact.words(),
            "cohort": fact.cohort,
            "reported": fact.reported,
            "study": fact.study,
            "source": fact.source,
        }
        said[name] = {**known, "of": fact.of, "use": fact.use, "alternative_of": None}
        for other in fact.alternatives:
            own = {"of": other, "use": False, "alternative_of": name}
            said[f"{name} [{other}]"] = {**known, **own}
    return said


def _replicates(
    spec: FitSpec, found: Weighted, place: np.ndarray, rng: np.random.Generator
) -> dict[str, list[float]]:
    """What a new cohort would report, at the posterior draws."""
    means = found.refined.means
    return {
        name: fact.replicate(means[fact.cohort][fact.of][place], rng).tolist()
        for name, fact in spec.evidence.items()
    }
