"""Draws of what patients share, from the run of a fit: what a decision rests on."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from numpyro.handlers import seed, trace

from imak_pkpd.fit.problem import read_model
from imak_pkpd.fit.run import POSTERIOR
from imak_pkpd.fit.sites import draws_of
from imak_pkpd.fit.spec import FitSpec
from imak_pkpd.fit.tree import read_tree
from imak_pkpd.fit.virtual import Virtual, shared_prior, unplaced_cohort
from imak_pkpd.population import OmegaBlock

Sites = Mapping[str, np.ndarray]


def shared_draws(run: Path, spec: FitSpec, cohort: str) -> dict[str, np.ndarray]:
    """Sites of theta, [omega] and amounts, [draw, ...], all chains in a row.

    An amount of the cohort that the run did not sample is drawn from its prior. Raises
    a `ValueError` where anything else is missing.
    """
    posterior = read_tree(run / POSTERIOR)["posterior"].to_dataset()
    flat = _flat(posterior)
    flat |= _factors(spec.omega, flat)
    bare = unplaced_cohort(spec, read_model(spec), cohort, 2)
    wanted = _sampled(bare)
    missing = [name for name in wanted if name not in flat]
    strangers = [name for name in missing if not name.endswith("_amount")]
    if strangers:
        raise ValueError(
            f"{run} has no draws of {', '.join(strangers)}: fit it anew with "
            f"{spec.path.name} as it is now"
        )
    draws = len(next(iter(flat.values())))
    prior = draws_of(partial(shared_prior, (bare,)), draws, spec.estimation.seed)
    return {name: flat.get(name, prior[name]) for name in wanted}


def _flat(posterior: xr.Dataset) -> dict[str, np.ndarray]:
    """What has no axis but chain and draw, in one row."""
    return {
        str(name): np.asarray(value).ravel()
        for name, value in posterior.data_vars.items()
        if value.dims == ("chain", "draw")
    }


def _factors(omega: OmegaBlock, flat: Sites) -> dict[str, np.ndarray]:
    """The Cholesky factors of [omega], from the SDs and correlations of a run."""
    return {
        block.site()[0]: np.linalg.cholesky(
            _matrix(block.parameters, flat, block in omega.covariance)
        )
        for block in omega.blocks
    }


def _matrix(names: tuple[str, ...], flat: Sites, covariance: bool) -> np.ndarray:
    """[draw, k, k]: correlations, or covariances."""
    sd = np.stack([flat[f"omega_{name}"] for name in names], -1)
    made = np.ones((*sd.shape, len(names)))
    for j in range(len(names)):
        for i in range(j + 1, len(names)):
            made[:, i, j] = made[:, j, i] = flat[f"corr_{names[j]}_{names[i]}"]
    return made * sd[:, :, None] * sd[:, None, :] if covariance else made


def _sampled(cohort: Virtual) -> list[str]:
    """Every site that the cohort's patients share and that has a prior."""
    sites = trace(seed(shared_prior, 0)).get_trace((cohort,))
    return [name for name, site in sites.items() if site["type"] == "sample"]


def thinned(sites: Sites, draws: int) -> dict[str, np.ndarray]:
    """So many of the draws, evenly; each again where there are too few."""
    have = len(next(iter(sites.values())))
    place = np.linspace(0, have, draws, endpoint=False).astype(int)
    return {name: value[place] for name, value in sites.items()}
