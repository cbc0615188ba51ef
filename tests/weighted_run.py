"""A small weighted run whose answers are known: four parameters, five facts.

Remission and cure are logistic in a and b, a summary is c itself; nothing depends on d.
Everything is computed as a run does, but for the solves: a mean is a formula.
"""

import json
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import expit, logsumexp
from scipy.stats import binom, norm

PRIOR, REFINED, KEPT = 16_000, 8_000, 2_000
SD = {"a": 1.0, "b": 0.5, "c": 2.0, "d": 1.0}
MEAN = {"a": np.log(2.0), "b": 0.0, "c": np.log(5.0), "d": 0.0}
LEVEL, LEVEL_SD = 2.0, 0.7
ATTACK = "<script>alert(1)</script>"

SETTINGS = """problem = "Four published facts of a made-up trial"
[theta]
a = { median = 2.0, gsd = 2.71828, source = "a guess" }
b = { median = 1.0, gsd = 1.64872 }
c = { median = 1.60944, sd = 2.0 }
d = { median = 1.0, gsd = 2.71828 }
[omega]
a = { fixed = 0.3 }
[cohort.trial]
patients = 64
refined = 512
horizon = 365.0
[cohort.trial.covariate.WT]
median = 70.0
gsd = 1.2
source = "adults"
[cohort.trial.group.unrelated]
share = 0.3
[cohort.trial.dose.cells]
times = [0.0]
per = "WT"
amount = { median = 1e8, gsd = 1.3, source = "not published" }
[study]
first = { source = "the abstract", informed = ["a"] }
again = { overlaps = ["first"] }
[evidence]
response = { kind = "binomial", k = 23, n = 33, of = "cr", cohort = "trial", alternatives = ["late_cr"] }
gvhd = { kind = "binomial", k = 0, n = 33, of = "gvhd", cohort = "trial" }
cured = { kind = "at_least", k = 6, n = 33, of = "cure", cohort = "trial", observed = { alpha = 4.0, beta = 2.0 } }
level = { kind = "normal", value = 2.0, sd = 0.7, of = "level", cohort = "trial" }
later = { kind = "binomial", k = 9, n = 33, of = "cure", cohort = "trial", use = false }
"""  # noqa: E501

MODEL = '''"""A made-up model: remission is logistic in two parameters."""

class MadeUp(AbstractModel):
    a: Scalar = parameter("1/day", "growth")
    b: Scalar = parameter("1", "kill")
    c: Scalar = parameter("1", "level", scale="identity")
    d: Scalar = parameter("1", "nothing depends on it")
'''

ESTIMANDS = {
    "cr": "probability of remission",
    "late_cr": "probability of remission at day 90",
    "gvhd": "probability of graft-versus-host disease",
    "cure": "probability of cure",
    "level": "a summary",
}
USED = ("response", "gvhd", "cured", "level")
TWICE = "Priors of a were set while looking at later: agreement is no evidence."


def sites(random: np.random.Generator) -> dict[str, np.ndarray]:
    """Prior draws of all parameters; an omega is fixed, an amount has a prior."""
    theta = {n: MEAN[n] + SD[n] * random.standard_normal(PRIOR) for n in SD}
    drawn = {f"theta_{name}": value for name, value in theta.items()}
    natural = {n: value if n == "c" else np.exp(value) for n, value in theta.items()}
    drawn |= {f"{name}_pop": value for name, value in natural.items()}
    drawn["omega_a"] = np.full(PRIOR, 0.3)
    drawn["trial_cells_amount"] = 1e8 * 1.3 ** random.standard_normal(PRIOR)
    return drawn


def means(drawn: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The cohort mean of every estimand."""
    a, b = drawn["theta_a"] - MEAN["a"], drawn["theta_b"]
    return {
        "cr": expit(0.5 + a + b),
        "late_cr": expit(-0.5 + a + b),
        "gvhd": expit(-4.0 + a),
        "cure": expit(-1.0 + a - b),
        "level": drawn["theta_c"],
    }


def log_likelihoods(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """By SciPy; the share of the cured who were seen is integrated by brute force."""
    share = (np.arange(100) + 0.5) / 100
    density = share**3 * (1 - share)
    chance = np.linspace(0, 1, 2001)  # interpolated: 1e-6 of a smooth curve
    tail = binom.sf(5, 33, chance[:, None] * share) @ (density / density.sum())
    cured = np.interp(found["cure"], chance, tail)
    return {
        "response": binom.logpmf(23, 33, found["cr"]),
        "response [late_cr]": binom.logpmf(23, 33, found["late_cr"]),
        "gvhd": binom.logpmf(0, 33, found["gvhd"]),
        "cured": np.log(cured),
        "level": norm.logpdf(found["level"], LEVEL, LEVEL_SD),
        "later": binom.logpmf(9, 33, found["cure"]),
    }


def weighted_tree(seed: int = 1, **weighting: Any) -> xr.DataTree:
    """The whole tree of a run; `weighting` replaces figures in its attribute."""
    random = np.random.default_rng(seed)
    prior = sites(random)
    first = means(prior)
    terms = log_likelihoods(first)
    likelihood = np.sum([terms[name] for name in USED], axis=0)
    chance = _chance(likelihood)
    chosen = np.flatnonzero(random.uniform(size=PRIOR) < chance)
    log_weight = likelihood[chosen] - np.log(chance[chosen])
    log_weight -= logsumexp(log_weight)
    place = random.choice(len(chosen), KEPT, p=np.exp(log_weight))
    parts = {name: value[chosen] for name, value in prior.items()}
    refined = {name: value[chosen] for name, value in first.items()}
    after = {name: value[place] for name, value in refined.items()}
    tree = xr.DataTree.from_dict(
        {
            "posterior": _drawn({n: v[place] for n, v in parts.items()}),
            "cohort_estimand": _drawn(after, "cohort"),
            "prior": _drawn({n: v[:KEPT] for n, v in prior.items()}),
            "prior_estimand": _drawn({n: v[:KEPT] for n, v in first.items()}, "cohort"),
            "refined": _refined(parts, refined, terms, chosen, log_weight, chance),
        }
    )
    tree.attrs.update(_attributes(random, after, log_weight, weighting))
    return tree


def _chance(likelihood: np.ndarray) -> np.ndarray:
    """Chances of being refined, with the sum `REFINED` at most."""
    size = np.exp(0.5 * (likelihood - likelihood.max()))
    return np.minimum(1.0, REFINED * size / size.sum())


def _drawn(values: dict[str, np.ndarray], last: str = "") -> xr.Dataset:
    """Variables [chain, draw], or [chain, draw, cohort] of the one cohort."""
    dims = ("chain", "draw", last) if last else ("chain", "draw")
    shaped = {n: v[None, :, None] if last else v[None] for n, v in values.items()}
    known = {"cohort": ["trial"]} if last else {}
    return xr.Dataset({n: (dims, v) for n, v in shaped.items()}, coords=known)


def _refined(
    parts: dict[str, np.ndarray],
    found: dict[str, np.ndarray],
    terms: dict[str, np.ndarray],
    chosen: np.ndarray,
    log_weight: np.ndarray,
    chance: np.ndarray,
) -> xr.Dataset:
    stacked = np.stack([value[chosen] for value in terms.values()], axis=-1)
    return xr.Dataset(
        {
            **{n: (("draw", "cohort"), v[:, None]) for n, v in found.items()},
            **{n: ("draw", v) for n, v in parts.items()},
            "log_likelihood": (("draw", "fact"), stacked),
            "log_weight": ("draw", log_weight),
            "log_proposal": ("draw", -np.log(chance[chosen])),
        },
        coords={"cohort": ["trial"], "fact": list(terms)},
    )


def facts() -> dict[str, dict[str, Any]]:
    """What the run says of every fact; one source is an attack on the page."""
    said = {
        "response": ("23/33", "cr", 23, ATTACK),
        "response [late_cr]": ("23/33", "late_cr", 23, ""),
        "gvhd": ("0/33", "gvhd", 0, "the abstract"),
        "cured": (">= 6/33", "cure", 6, "the abstract"),
        "level": ("2", "level", 2.0, ""),
        "later": ("9/33", "cure", 9, ""),
    }
    return {
        name: {
            "words": words,
            "of": of,
            "cohort": "trial",
            "use": name in USED,
            "reported": reported,
            "study": "first" if name in USED else None,
            "source": source,
            "alternative_of": "response" if "[" in name else None,
        }
        for name, (words, of, reported, source) in said.items()
    }


def _replicates(
    random: np.random.Generator, after: dict[str, np.ndarray]
) -> dict[str, list[float]]:
    share = random.beta(4.0, 2.0, KEPT)
    made = {
        "response": random.binomial(33, after["cr"]),
        "gvhd": random.binomial(33, after["gvhd"]),
        "cured": random.binomial(33, after["cure"] * share),
        "level": after["level"] + LEVEL_SD * random.standard_normal(KEPT),
    }
    return {name: value.tolist() for name, value in made.items()}


def _attributes(
    random: np.random.Generator,
    after: dict[str, np.ndarray],
    log_weight: np.ndarray,
    weighting: dict[str, Any],
) -> dict[str, str]:
    figures = {
        "way": "weights",
        "prior_draws": PRIOR,
        "weighed": PRIOR,
        "refined_draws": len(log_weight),
        "failed": 0,
        "ess": float(1 / np.sum(np.exp(2 * log_weight))),
        "largest_weight": float(np.exp(log_weight.max())),
        "log_evidence": -9.0,
        "khat": 0.2,
        "scrambles": {
            f"{n} (trial)": {"first": v.mean(), "second": v.mean() + 1e-3, "se": 1e-3}
            for n, v in after.items()
        },
        "patients": {"trial": 64},
        "refined_patients": {"trial": 512},
        "solver": dict.fromkeys(after, 1e-4),
        "cpu_s": 700.0,
    }
    return {
        "problem": "Four published facts of a made-up trial",
        "settings": SETTINGS,
        "facts": json.dumps(facts()),
        "double_use": json.dumps([TWICE]),
        "estimands": json.dumps(ESTIMANDS),
        "replicates": json.dumps(_replicates(random, after)),
        "weighting": json.dumps(figures | weighting),
        "versions": json.dumps({"jax": "0.12"}),
    }


def record() -> dict[str, Any]:
    """The `run.json` of a finished run, as far as the report reads it."""
    return {
        "run": "20260102T030405-abcdef01",
        "status": "finished",
        "start": "2026-01-02T03:04:05+00:00",
        "fit": {"path": "fits/facts.toml", "text": SETTINGS, "sha256": "0" * 64},
        "model": {"path": "models/made_up.py", "source": MODEL, "sha256": "1" * 64},
        "data": None,
        "seed": 1,
        "estimation": {"prior_draws": PRIOR, "refined_draws": REFINED},
        "machine": {"system": "Linux", "versions": {"jax": "0.12"}},
        "result": {"passed": True, "verdict": "PASSED", "cpu_s": {}, "leapfrogs": {}},
    }
