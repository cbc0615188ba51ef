"""Draws of what patients share, from the run of a fit: what a decision rests on."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpyro.handlers import seed, trace

from imak_pkpd.decide.finished_run import FinishedRun, drawn_sites
from imak_pkpd.fit.sites import draws_of
from imak_pkpd.fit.virtual import Virtual, shared_prior, unplaced_cohort
from imak_pkpd.model import AnyModel

Sites = Mapping[str, np.ndarray]


def cohort_draws(
    run: FinishedRun, model: type[AnyModel], cohort: str
) -> dict[str, np.ndarray]:
    """Sites of theta, [omega] and the amounts of a cohort, [draw, ...].

    An amount of the cohort that the run did not sample is drawn from its prior. Raises
    a `ValueError` where anything else is missing.
    """
    spec = run.spec
    drawn = drawn_sites(spec, run.tree)
    bare = unplaced_cohort(spec, model, cohort, 2)
    wanted = _sampled(bare)
    lacking = [name for name in wanted if name not in drawn]
    strangers = [name for name in lacking if not name.endswith("_amount")]
    if strangers:
        raise ValueError(
            f"{run.folder} has no draws of {', '.join(strangers)}: fit it anew with "
            f"{spec.path.name} as it is now"
        )
    found = {name: drawn[name] for name in wanted if name in drawn}
    if not lacking:
        return found
    draws = len(drawn[wanted[0]])
    prior = draws_of(partial(shared_prior, (bare,)), draws, spec.estimation.seed)
    return {name: found.get(name, prior[name]) for name in wanted}


def _sampled(cohort: Virtual) -> list[str]:
    """Every site that the cohort's patients share and that has a prior."""
    sites = trace(seed(shared_prior, 0)).get_trace((cohort,))
    return [name for name, site in sites.items() if site["type"] == "sample"]


def thinned(sites: Sites, draws: int) -> dict[str, np.ndarray]:
    """So many of the draws, evenly; each again where there are too few."""
    have = len(next(iter(sites.values())))
    place = np.linspace(0, have, draws, endpoint=False).astype(int)
    return {name: value[place] for name, value in sites.items()}


def at_most(sites: Sites, number: int) -> dict[str, np.ndarray]:
    """At most `number` of the draws, spread evenly from the first to the last."""
    there = len(next(iter(sites.values())))
    place = np.unique(np.linspace(0, there - 1, number).astype(int))
    return {name: value[place] for name, value in sites.items()}
