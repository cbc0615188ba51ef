"""How much narrower the posterior is than the prior, and how far it has moved.

contraction = 1 - Var(posterior) / Var(prior); shift in SDs of the prior. `learned`
gives both for every parameter of a weighted result, with their Monte Carlo errors.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy.special import logsumexp

from imak_pkpd.check.posterior import population_arrays

NOISE = 3.0
"""A contraction or shift within so many standard errors is not told from 0."""

Column = Float[np.ndarray, " draw"]


@dataclass(frozen=True, eq=False)
class ParameterDraws:
    """Prior and posterior of all parameters, theta on its own scale.

    A positive number that has no theta (an omega, an amount) is a logarithm here.
    """

    names: tuple[str, ...]
    prior: Float[np.ndarray, "prior_draw parameter"]
    posterior: Float[np.ndarray, "draw parameter"]
    weight: Column

    @property
    def size(self) -> float:
        """The effective number of posterior draws."""
        return float(1.0 / np.sum(self.weight**2))

    @property
    def standardised(self) -> Float[np.ndarray, "draw parameter"]:
        """The posterior in SDs of the prior from the prior mean."""
        away = self.posterior - self.prior.mean(axis=0)
        return away / self.prior.std(axis=0, ddof=1)

    @property
    def mean(self) -> Float[np.ndarray, " parameter"]:
        """The posterior mean, standardised."""
        return self.weight @ self.standardised

    @property
    def covariance(self) -> Float[np.ndarray, "parameter parameter"]:
        """The posterior covariance, standardised: the unit matrix is the prior."""
        away = self.standardised - self.mean
        return (away.T * self.weight) @ away / (1.0 - np.sum(self.weight**2))


class Learned(NamedTuple):
    """What the facts say of one parameter, with standard errors.

    `nothing`: neither contraction nor shift can be told from 0.
    """

    parameter: str
    contraction: float
    contraction_se: float
    shift: float
    shift_se: float
    nothing: bool


def learned(drawn: ParameterDraws) -> list[Learned]:
    """Contraction and shift of each parameter, the largest contraction first.

    Errors are those of normal draws, Var(s²) = 2 s⁴ / n. Whether something was learned
    is judged by the errors that a posterior equal to the prior would have: those of a
    variance that came out small by chance are too small.
    """
    ratio, noise = np.diag(drawn.covariance), 1.0 / drawn.size + 1.0 / len(drawn.prior)
    shift_se = np.sqrt(ratio / drawn.size + 1.0 / len(drawn.prior))
    silent = np.abs(1.0 - ratio) <= NOISE * np.sqrt(2.0 * noise)
    mean = drawn.mean
    silent &= np.abs(mean) <= NOISE * np.sqrt(noise)
    rows = [
        Learned(
            name,
            float(1.0 - ratio[k]),
            float(ratio[k] * np.sqrt(2.0 * noise)),
            float(mean[k]),
            float(shift_se[k]),
            bool(silent[k]),
        )
        for k, name in enumerate(drawn.names)
    ]
    return sorted(rows, key=lambda row: -row.contraction)


def parameter_draws(tree: xr.DataTree) -> ParameterDraws:
    """The parameters that prior and posterior share.

    The posterior is that of `refined` with its weights where they are kept there,
    which has less noise than equally weighted draws.
    """
    prior, posterior = tree["prior"].to_dataset(), tree["posterior"].to_dataset()
    names = [name for name in population_arrays(tree) if _theirs(name, prior, tree)]
    refined = tree["refined"].to_dataset() if "refined" in tree.children else None
    if refined is not None and all(name in refined for name in names):
        return _draws(names, prior, refined, refined["log_weight"].values)
    size = posterior.sizes["draw"] * posterior.sizes["chain"]
    return _draws(names, prior, posterior, np.zeros(size))


def _draws(
    names: list[str], prior: xr.Dataset, posterior: xr.Dataset, log_weight: Column
) -> ParameterDraws:
    pairs = [_pair(name, prior, posterior) for name in names]
    weight = np.exp(log_weight - logsumexp(log_weight))
    before = np.stack([pair[0] for pair in pairs], axis=-1)
    after = np.stack([pair[1] for pair in pairs], axis=-1)[weight > 0]
    labels = tuple(name.removeprefix("theta_") for name in names)
    return ParameterDraws(labels, before, after, weight[weight > 0])


def _pair(
    name: str, prior: xr.Dataset, posterior: xr.Dataset
) -> tuple[np.ndarray, np.ndarray]:
    before, after = np.ravel(prior[name].values), np.ravel(posterior[name].values)
    return (before, after) if name.startswith("theta_") else on_scale(before, after)


def _theirs(name: str, prior: xr.Dataset, tree: xr.DataTree) -> bool:
    """Numbers that both have and that vary; theta stands for its natural value."""
    twice = f"theta_{name.removesuffix('_pop')}"
    if name not in prior or (name.endswith("_pop") and twice in tree["posterior"]):
        return False
    return bool(np.ptp(prior[name].values) > 0)


def on_scale(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of both where all are positive, else both as they are."""
    if min(before.min(), after.min()) > 0:
        return np.log(before), np.log(after)
    return before, after


def contraction(before: np.ndarray, after: np.ndarray) -> float:
    """1 - Var(posterior) / Var(prior)."""
    before, after = on_scale(before, after)
    return float(1 - after.var(ddof=1) / before.var(ddof=1))


def shift(before: np.ndarray, after: np.ndarray) -> float:
    """(mean of the posterior - mean of the prior) / SD of the prior."""
    before, after = on_scale(before, after)
    return float((after.mean() - before.mean()) / before.std(ddof=1))
