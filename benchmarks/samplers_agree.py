"""Do weighting and tempered particles give one posterior? Two runs of one fit of facts.

    python3 -m uv run imak fit fits/200-slavin2023.toml --out weighted
    (the same with sampler = "tempered", refined_draws = 2000 in [estimation])
    python3 -m uv run python benchmarks/samplers_agree.py weighted tempered

The difference of the mean and of the SD of every parameter and of every estimand, in
Monte Carlo standard errors of both runs. Those of particles are too small, as though
particles did not descend from one another: a third and a fourth run, of other seeds,
say by how much.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from imak_pkpd.check.reweighting import cohort_means
from imak_pkpd.check.weighting import weighting_of
from imak_pkpd.fit.run import POSTERIOR
from imak_pkpd.fit.tree import read_tree
from imak_pkpd.fit.weights import weighted_error, weighted_moments

SHOWN = 8  # of the largest differences
CONSTANT = 1e-9  # SD against the mean: rounding


class Difference(NamedTuple):
    """Of one number: in standard errors, the mean's and the SD's, and the shift of the
    mean in posterior SDs."""

    name: str
    z_mean: float
    z_sd: float
    shift: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    asked = parser.parse_args()
    trees = [read_tree(run / POSTERIOR) for run in (asked.first, asked.second)]
    for run, tree in zip((asked.first, asked.second), trees, strict=True):
        said = weighting_of(tree)
        print(f"{run}: ESS {said['ess']:.0f}, log evidence {said['log_evidence']:.3f}")
    for part, found in (
        ("parameters", list(differences(trees, parameters))),
        ("means of estimands", list(differences(trees, estimands))),
    ):
        print(summary(part, found))


def differences(trees: list[xr.DataTree], columns: object) -> Iterator[Difference]:
    first, second = (columns(tree) for tree in trees)  # type: ignore[operator]
    weights = [np.asarray(tree["refined"]["log_weight"].values) for tree in trees]
    for name in first.keys() & second.keys():
        (m1, s1), (m2, s2) = (
            weighted_moments(each[name], weight)
            for each, weight in zip((first, second), weights, strict=True)
        )
        if not s1 > CONSTANT * abs(m1):
            continue
        errors = [
            (weighted_error(v, w, m), weighted_error(((v - m) / s) ** 2, w, 1.0) / 2)
            for v, w, m, s in (
                (first[name], weights[0], m1, s1),
                (second[name], weights[1], m2, s2),
            )
        ]
        of_mean, of_sd = np.sqrt(np.sum(np.square(errors), axis=0))
        yield Difference(
            name, (m2 - m1) / of_mean, (s2 / s1 - 1) / of_sd, (m2 - m1) / s1
        )


def parameters(tree: xr.DataTree) -> dict[str, np.ndarray]:
    refined = tree["refined"].to_dataset()
    return {
        str(name): np.asarray(value.values, float)
        for name, value in refined.data_vars.items()
        if value.dims == ("draw",) and not str(name).startswith("log_")
    }


def estimands(tree: xr.DataTree) -> dict[str, np.ndarray]:
    return {"/".join(key): value for key, value in cohort_means(tree).items()}


def summary(part: str, found: list[Difference]) -> str:
    z = np.array([(each.z_mean, each.z_sd) for each in found])
    worst = sorted(found, key=lambda each: -abs(each.z_mean))[:SHOWN]
    said = [
        f"{part}: {len(found)}; z of (mean, SD): RMS {np.sqrt((z**2).mean(0)).round(2)}"
        f", largest {np.abs(z).max(0).round(2)}"
    ]
    said += [
        f"  {x.name}: z {x.z_mean:+.2f}, {x.shift:+.3f} posterior SD; of the SD "
        f"{x.z_sd:+.2f}"
        for x in worst
    ]
    return "\n".join(said)


if __name__ == "__main__":
    main()
