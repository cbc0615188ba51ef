"""May weighted draws be used? `diagnose_weighting` says; there are no chains.

| check | limit | why |
|---|---|---|
| finite draws | none that is not a number | |
| ESS | 2,000 | the 5 % quantile of a parameter to 0.05 of its SD |
| largest weight | 0.5 % | no single draw may carry a result |
| k-hat | shown | weights are bounded (a tenth of the draws is refined at random) |
| failed solves | 1 % of the posterior | if each was as likely as the likeliest draw |
| scrambles | 3 combined SE | two sets of quasi-random points, each with its weights |
| weights | 0.001 in the logarithm | the stored terms give the stored weights |
| solver error of means | 0.1 posterior SD | where it was computed |
| solver accuracy | as of chains | of the records of patients, if there are some |
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from imak_pkpd.check.convergence import Diagnostics, Finding, NotRun
from imak_pkpd.check.posterior import population_arrays
from imak_pkpd.check.reweighting import facts_of, posterior_sds, total
from imak_pkpd.fit.virtual import UNSOLVED
from imak_pkpd.fit.weighting import SUSPECT
from imak_pkpd.fit.weights import effective

ESS = 2000.0
LARGEST = 0.005
HELD = 0.01
SCRAMBLES = 3.0
TERMS = 1e-3
ROUNDING = 1e-12

Column = Float[np.ndarray, " draw"]


def is_weighted(tree: xr.DataTree) -> bool:
    """Whether a result was made by weighting prior draws, without patients."""
    return "weighting" in tree.attrs


def weighting_of(tree: xr.DataTree) -> Mapping[str, Any]:
    """The figures that the run has stored of its weighting; empty for none."""
    return json.loads(str(tree.attrs.get("weighting", "{}")))


def diagnose_weighting(tree: xr.DataTree) -> Diagnostics:
    """All checks of a weighted result."""
    said = weighting_of(tree)
    results = [
        _finite(tree),
        *_weights(tree, said),
        _khat(said),
        *_scrambles(said),
        _solver(tree, said),
        *_records(said),
    ]
    return Diagnostics(
        tuple(result for result in results if isinstance(result, Finding)),
        tuple(result for result in results if isinstance(result, NotRun)),
    )


def _finite(tree: xr.DataTree) -> Finding | NotRun:
    check = "finite draws"
    if "posterior" not in tree.children:
        return NotRun(check, "the result has no group 'posterior'", True)
    drawn = population_arrays(tree)
    broken = [name for name, value in drawn.items() if not np.isfinite(value).all()]
    text = f"{len(broken)} of {len(drawn)} quantities have draws that are not numbers"
    first = f" ({broken[0]} first)" if broken else ""
    return Finding(check, not broken, len(broken), 0, text + first)


_OF_WEIGHTS = ("ESS", "largest weight", "failed solves", "weights")


def _weights(tree: xr.DataTree, said: Mapping[str, Any]) -> Iterator[Finding | NotRun]:
    """The checks that need the refined draws."""
    if "refined" not in tree.children:
        for check in _OF_WEIGHTS:
            yield NotRun(check, "the result has no group 'refined'", True)
        return
    log_weight = np.asarray(tree["refined"]["log_weight"].values, float)
    size, largest = effective(log_weight), float(np.exp(log_weight.max()))
    text = f"{size:.0f} effective draws of {len(log_weight)} refined ones"
    yield Finding("ESS", size >= ESS, size, ESS, text)
    text = f"the largest weight is {largest:.2%} of all"
    yield Finding("largest weight", largest <= LARGEST, largest, LARGEST, text)
    yield _failed(tree, said)
    yield _terms(tree, log_weight)


def _failed(tree: xr.DataTree, said: Mapping[str, Any]) -> Finding | NotRun:
    """What the draws that could not be solved might have weighed at most."""
    check = "failed solves"
    if "failed" not in said:
        return NotRun(check, "the run did not count them", True)
    failed, refined = int(said["failed"]), tree["refined"].to_dataset()
    share = refined["log_weight"].values - refined["log_proposal"].values
    likeliest = float(np.exp(share.max()))
    most = int(HELD / likeliest) if likeliest > 0 else 0
    text = (
        f"{failed} of {said.get('weighed', 'all')} draws have more than "
        f"{UNSOLVED:.0%} of virtual patients that could not be solved"
    )
    if "unsolved" in said:
        text += f" (of the posterior {float(said['unsolved']):.2%}, not in its means)"
    if failed:
        text += (
            f"; if each was as likely as the likeliest draw they would hold "
            f"{failed * likeliest:.2%} of the posterior"
        )
    return Finding(check, failed <= most, failed, most, text)


def _terms(tree: xr.DataTree, log_weight: Column) -> Finding:
    """Whether facts and proposal add up to the weights: else no fact can be dropped."""
    used = [name for name, fact in facts_of(tree).items() if fact["use"]]
    kept = np.isfinite(log_weight)
    gap = total(tree, used)[kept] - log_weight[kept]
    away = float(np.ptp(gap)) if gap.size else np.inf
    text = f"facts and proposal give the log weights to {away:.1g}"
    return Finding("weights", away <= TERMS, away, TERMS, text)


def _khat(said: Mapping[str, Any]) -> Finding | NotRun:
    value = said.get("khat")
    if value is None or np.isnan(value):
        return NotRun("k-hat", "it was not computed", False)
    text = f"Pareto k-hat of the weights {value:.2f}, shown and not judged"
    return Finding("k-hat", True, value, np.inf, text)


def _scrambles(said: Mapping[str, Any]) -> Iterator[Finding | NotRun]:
    """The estimand whose two means are farthest apart."""
    away = scramble_distances(said)
    if not away:
        yield NotRun("scrambles", "only one set of quasi-random points is kept", True)
        return
    worst = max(away, key=away.__getitem__)
    value = away[worst]
    text = f"two sets of virtual patients differ by {value:.1f} SE at most ({worst})"
    yield Finding("scrambles", value <= SCRAMBLES, value, SCRAMBLES, text)


def _records(said: Mapping[str, Any]) -> Iterator[Finding]:
    """The solver's error of the records' log-likelihood."""
    made = said.get("records")
    if made:
        text = f"error of the records' log-likelihood by the solver {made['p99']:.2g}"
        failed = f"; {made['mesh_failed']} draws failed on the mesh alone"
        text += failed if made["mesh_failed"] else ""
        check, limit = "solver accuracy", made["limit"]
        yield Finding(check, made["certified"], made["p99"], limit, text)


def scramble_distances(said: Mapping[str, Any]) -> dict[str, float]:
    """|first - second| / combined SE, by estimand."""
    return {
        name: _distance(one["first"], one["second"], one["se"])
        for name, one in (said.get("scrambles") or {}).items()
    }


def _distance(first: float, second: float, se: float) -> float:
    """A difference in SEs; a mean that has none must be the same but for rounding."""
    if not np.isfinite(first - second):
        return np.inf
    if np.isclose(first, second, rtol=ROUNDING, atol=0.0):
        return 0.0
    return abs(first - second) / se if se > 0 else np.inf


def _solver(tree: xr.DataTree, said: Mapping[str, Any]) -> Finding | NotRun:
    """The largest error of a mean against its posterior SD."""
    check, errors = "solver error of means", said.get("solver") or {}
    sds = posterior_sds(tree) if "refined" in tree.children else {}
    ratios = {
        place: errors[key] / sd
        for (name, cohort), sd in sds.items()
        for place in [f"{name} ({cohort})"]
        for key in (place, name)  # an error of one cohort, or of all
        if key in errors
    }
    if not ratios:
        return NotRun(check, "no reference solution was computed", False)
    worst = max(ratios, key=ratios.__getitem__)
    value = ratios[worst]
    text = f"error of a mean by the solver {value:.2g} posterior SD at most ({worst})"
    return Finding(check, value <= SUSPECT, value, SUSPECT, text)
