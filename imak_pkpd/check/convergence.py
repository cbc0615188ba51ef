"""May the draws be used? `diagnose` says, and says what it could not look at.

| check | limit | for |
|---|---|---|
| finite draws | none that is not a number | all |
| R-hat | 1.01 | population parameters |
| bulk and tail ESS | 400 | population parameters |
| R-hat | 1.03, or at most 1 % above 1.01 | individual effects |
| divergences, tree depth, failed solves | none | kept draws |
| E-BFMI | 0.3 | each chain |
| solver accuracy | 0.01·max(1, √(subjects/33)) | log-likelihood, if given |

R-hat and ESS are rank-normalised: Vehtari et al. 2021, Bayesian Anal 16:667 (their
limits too); E-BFMI: Betancourt 2016, arXiv:1604.00695.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

# arviz puts a lazy stub of numpyro in sys.modules; numpyro must be whole before that.
import numpyro  # noqa: F401  # isort: skip
from arviz_stats.base import array_stats
from jaxtyping import Float

from imak_pkpd.check.posterior import individual_arrays, population_arrays

RHAT = 1.01
RHAT_INDIVIDUAL = 1.03
INDIVIDUAL_ABOVE = 0.01  # part of individual effects that may exceed RHAT
ESS = 400.0
EBFMI = 0.3
SOLVER_ERROR = 0.01  # in the log-likelihood of SOLVER_SUBJECTS subjects
SOLVER_SUBJECTS = 33.0

Drawn = Float[np.ndarray, "chain draw"]


@dataclass(frozen=True)
class Finding:
    """A check that was made: `value` against `limit`, and what it means in words."""

    check: str
    passed: bool
    value: float | int
    limit: float | int
    message: str


@dataclass(frozen=True)
class NotRun:
    """A check that could not be made; a `required` one keeps a fit from passing."""

    check: str
    reason: str
    required: bool


@dataclass(frozen=True)
class Diagnostics:
    """All checks of a fit: those made and those that could not be."""

    findings: tuple[Finding, ...]
    not_run: tuple[NotRun, ...]

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The checks that failed."""
        return tuple(finding for finding in self.findings if not finding.passed)

    @property
    def passed(self) -> bool:
        """No check failed and none that is required is missing."""
        return not self.failed and not any(missing.required for missing in self.not_run)

    def value(self, check: str) -> float | int | None:
        """The figure of a check, None where it was not made."""
        return next((f.value for f in self.findings if f.check == check), None)

    @property
    def verdict(self) -> str:
        """One line for the terminal and the front page."""
        made = len(self.findings)
        text = (
            f"PASSED: all {made} checks of the draws"
            if self.passed
            else "FAILED: " + "; ".join([*_words(self.failed), *_missing(self.not_run)])
        )
        absent = ", ".join(m.check for m in self.not_run if not m.required)
        return f"{text} (not run: {absent})" if absent else text


def diagnose(tree: xr.DataTree, solver_error: float | None = None) -> Diagnostics:
    """All checks of a result.

    `solver_error` is the 99th percentile of the error of the log-likelihood by the
    solver, over posterior draws, where it was computed.
    """
    results = [
        *_posterior_checks(tree),
        *_statistics_checks(tree),
        _solver_check(tree, solver_error),
    ]
    return Diagnostics(
        tuple(result for result in results if isinstance(result, Finding)),
        tuple(result for result in results if isinstance(result, NotRun)),
    )


def rhat(drawn: Drawn) -> float:
    """Rank-normalised split R-hat; +inf when chains are stuck at different values."""
    if np.ptp(drawn, axis=1).max() == 0.0:
        return np.inf
    return float(array_stats.rhat(drawn, chain_axis=0, draw_axis=1))


def ess_bulk(drawn: Drawn) -> float:
    """Effective sample size for the centre of the distribution."""
    return float(array_stats.ess(drawn, chain_axis=0, draw_axis=1, method="bulk"))


def ess_tail(drawn: Drawn) -> float:
    """The smaller effective sample size of the 5 % and the 95 % quantile."""
    tails = (0.05, 0.95)
    return float(
        array_stats.ess(drawn, chain_axis=0, draw_axis=1, method="tail", prob=tails)
    )


def _posterior_checks(tree: xr.DataTree) -> Iterator[Finding | NotRun]:
    if "posterior" not in tree.children:
        for check in ("finite draws", *_POPULATION, "R-hat of individual effects"):
            yield NotRun(check, "the result has no group 'posterior'", True)
        return
    population, individual = population_arrays(tree), individual_arrays(tree)
    drawn = population | individual
    broken = [name for name, value in drawn.items() if not np.isfinite(value).all()]
    yield Finding(
        "finite draws",
        not broken,
        len(broken),
        0,
        f"{len(broken)} of {len(drawn)} quantities have draws that are not numbers"
        + (f" ({broken[0]} first)" if broken else ""),
    )
    whole = {name: value for name, value in population.items() if name not in broken}
    yield from _population_checks(whole)
    yield _individual_check({n: v for n, v in individual.items() if n not in broken})


_POPULATION = ("R-hat", "bulk ESS", "tail ESS")


def _population_checks(drawn: Mapping[str, Drawn]) -> Iterator[Finding | NotRun]:
    reason = _too_few(drawn)
    if reason:
        yield from (NotRun(check, reason, True) for check in _POPULATION)
        return
    worst, value = _extreme({name: rhat(value) for name, value in drawn.items()}, max)
    yield Finding(
        "R-hat", value <= RHAT, value, RHAT, f"largest R-hat {value:.4f} ({worst})"
    )
    for check, size in (("bulk ESS", ess_bulk), ("tail ESS", ess_tail)):
        sizes = {name: size(value) for name, value in drawn.items()}
        worst, value = _extreme(sizes, min)
        text = f"smallest {check} {value:.0f} ({worst})"
        yield Finding(check, value >= ESS, value, ESS, text)


def _individual_check(drawn: Mapping[str, Drawn]) -> Finding | NotRun:
    check = "R-hat of individual effects"
    if not drawn:
        return NotRun(check, "the model has no individual effect", False)
    reason = _too_few(drawn)
    if reason:
        return NotRun(check, reason, True)
    values = {name: rhat(value) for name, value in drawn.items()}
    worst, value = _extreme(values, max)
    above = float(np.mean([each > RHAT for each in values.values()]))
    return Finding(
        check,
        value <= RHAT_INDIVIDUAL or above <= INDIVIDUAL_ABOVE,
        value,
        RHAT_INDIVIDUAL,
        f"largest R-hat of an individual effect {value:.4f} ({worst}), "
        f"{above:.1%} above {RHAT}",
    )


def _statistics_checks(tree: xr.DataTree) -> Iterator[Finding | NotRun]:
    group = tree.children.get("sample_stats")
    for check, name, words, required in (
        ("divergences", "diverging", "divergent trajectories", True),
        ("tree depth", "reached_max_treedepth", "trajectories cut at the limit", True),
        ("failed solves", "failed_solves", "draws met a failed solve", False),
    ):
        if group is None or name not in group:
            yield NotRun(check, f"the result has no 'sample_stats/{name}'", required)
            continue
        values = np.asarray(group[name].values)
        count = int(values.sum())
        text = f"{count} {words} in {values.size} draws"
        yield Finding(check, count == 0, count, 0, text)
    yield _energy_check(group)


def _energy_check(group: xr.DataTree | None) -> Finding | NotRun:
    if group is None or "energy" not in group:
        return NotRun("E-BFMI", "the result has no 'sample_stats/energy'", True)
    energy = np.asarray(group["energy"].values)
    if energy.shape[1] < 3 or np.ptp(energy, axis=1).min() == 0.0:
        return NotRun("E-BFMI", "it needs three draws of changing energy", True)
    value = float(array_stats.bfmi(energy, chain_axis=0, draw_axis=1).min())
    text = f"smallest E-BFMI of a chain {value:.2f}"
    return Finding("E-BFMI", value >= EBFMI, value, EBFMI, text)


def _solver_check(tree: xr.DataTree, error: float | None) -> Finding | NotRun:
    check = "solver accuracy"
    if error is None:
        return NotRun(check, "no reference solution was computed", False)
    subjects = tree["posterior"].sizes.get("subject", 1) if "posterior" in tree else 1
    limit = SOLVER_ERROR * max(1.0, float(np.sqrt(subjects / SOLVER_SUBJECTS)))
    text = f"error of the log-likelihood by the solver {error:.2g}"
    return Finding(check, error <= limit, error, limit, text)


def _too_few(drawn: Mapping[str, Drawn]) -> str:
    """Why R-hat and ESS cannot be computed; empty when they can."""
    if not drawn:
        return "no quantity varies"
    chains, draws = next(iter(drawn.values())).shape
    if chains < 2:
        return "R-hat needs two chains"
    return "R-hat needs four draws" if draws < 4 else ""


def _extreme(values: Mapping[str, float], worst: Callable) -> tuple[str, float]:
    name = worst(values, key=values.__getitem__)
    return name, values[name]


def _words(failed: tuple[Finding, ...]) -> list[str]:
    return [f"{finding.message} (limit {finding.limit:g})" for finding in failed]


def _missing(not_run: tuple[NotRun, ...]) -> list[str]:
    return [f"{m.check} not run: {m.reason}" for m in not_run if m.required]
