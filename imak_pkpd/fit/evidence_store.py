"""The result of a fit of published facts as a tree: no patients, draws with weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from imak_pkpd.fit.explain import subject_names
from imak_pkpd.fit.patient_groups import patient_groups, predictive_group
from imak_pkpd.fit.provenance import versions
from imak_pkpd.fit.records import Records
from imak_pkpd.fit.simulate import Simulator
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.terms import Column, Sites, Terms, fact_names, terms_at
from imak_pkpd.fit.tree import (
    Group,
    Variable,
    build_tree,
    posterior_group,
    public_sites,
)
from imak_pkpd.fit.virtual import Means
from imak_pkpd.fit.weighting import Weighted, as_attributes, resampled
from imak_pkpd.model import AnyModel

KEPT = 2000  # equally weighted draws: no more than the weights are worth
PRIOR_KEPT = 2000
PREDICTED = 400  # draws at which patients are simulated: percentiles need no more
DRAW = ("chain", "draw")


def evidence_tree(
    spec: FitSpec,
    model: type[AnyModel],
    found: Weighted,
    records: Records | None = None,
) -> xr.DataTree:
    """The groups `posterior`, `cohort_estimand`, `prior`, `prior_estimand`, `refined`.

    The first two are drawn from `refined` with its weights; `refined` has what a
    reweighting needs: means by cohort, log-likelihoods by fact, weights.
    """
    rng = np.random.default_rng(spec.estimation.seed)
    place = resampled(found.log_weight, KEPT, rng)
    some = np.arange(min(PRIOR_KEPT, len(found.first.failed)))
    groups: dict[str, Group] = {
        "posterior": _parameters(found.sites, place, records),
        "cohort_estimand": by_draw(terms_at(found.refined, place).means),
        "prior": _parameters(found.prior, some, records),
        "prior_estimand": by_draw(terms_at(found.first, some).means),
        "refined": refined_group(
            spec, found.refined, found.sites, found.log_weight, found.log_proposal
        ),
    }
    names = names_of_facts(spec)
    if records is not None:
        groups |= _of_patients(records, found.sites, place)
        names["subject"] = subject_names(records.problem)
        names["output"] = [*spec.output]
    return build_tree(
        groups,
        {group: names for group in groups},
        _attributes(spec, model, found, place, rng),
    )


def _of_patients(records: Records, sites: Sites, place: np.ndarray) -> dict[str, Group]:
    """What a report of patients needs; their predictions at some of the draws."""
    made, some = records.problem, place[:PREDICTED]
    latent = Simulator(made.spec, made.model, records.forms).latent(made.schedule)
    flat = {name: sites[name][some] for name in latent}
    predicted = predictive_group(made, records.forms, records.mesh, flat, 1)
    return {**patient_groups(made), "posterior_predictive": predicted}


def _parameters(sites: Sites, place: np.ndarray, records: Records | None) -> Group:
    patients = 0 if records is None else records.problem.schedule.patients
    some = {name: value[place][None] for name, value in sites.items()}
    return posterior_group(public_sites(some), patients)


def names_of_facts(spec: FitSpec) -> dict[str, list[str]]:
    """The coordinates of cohorts and facts."""
    return {"cohort": [*spec.cohort], "fact": [*fact_names(spec)]}


def by_draw(means: Mapping[str, Means], chains: int = 1) -> Group:
    """Estimands [chain, draw, cohort], from all chains in a row."""
    return {
        name: Variable(
            (*DRAW, "cohort"), columns.reshape(chains, -1, columns.shape[-1])
        )
        for name, columns in _stacked(means).items()
    }


def _stacked(means: Mapping[str, Means]) -> dict[str, np.ndarray]:
    """[draw, cohort] by estimand."""
    first = next(iter(means.values()))
    return {name: np.stack([m[name] for m in means.values()], -1) for name in first}


def refined_group(
    spec: FitSpec, terms: Terms, sites: Sites, log_weight: Column, log_proposal: Column
) -> Group:
    """What another reading of the facts needs: means, log-likelihoods, weights."""
    facts = [terms.log_likelihood[name] for name in fact_names(spec)]
    return {
        **{
            name: Variable(("draw", "cohort"), columns)
            for name, columns in _stacked(terms.means).items()
        },
        **{
            name: Variable(("draw",), value)
            for name, value in sites.items()
            if value.ndim == 1
        },
        "log_likelihood": Variable(("draw", "fact"), np.stack(facts, -1)),
        "log_weight": Variable(("draw",), log_weight),
        "log_proposal": Variable(("draw",), log_proposal),
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
        "synthetic": spec.data is not None and spec.data.synthetic,
        "facts": facts_said(spec),
        "double_use": list(spec.double_use),
        "replicates": replicates(spec, terms_at(found.refined, place).means, rng),
        "estimands": {n: block.definition(units) for n, block in spec.estimand.items()},
        "weighting": as_attributes(spec, found),
        "versions": versions(),
    }


def facts_said(spec: FitSpec) -> dict[str, dict[str, Any]]:
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


def replicates(
    spec: FitSpec, means: Mapping[str, Means], rng: np.random.Generator
) -> dict[str, list[float]]:
    """What a new cohort would report, at the draws of these means."""
    return {
        name: fact.replicate(means[fact.cohort][fact.of], rng).tolist()
        for name, fact in spec.evidence.items()
    }
